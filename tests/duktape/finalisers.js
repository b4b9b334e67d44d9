// Finalisers run in whatever task loses the object; nothing suspends in them.
// SPDX-License-Identifier: BSL-1.0
var ran = 0;

function lose(finaliser) {
    var o = {};
    Duktape.fin(o, finaliser);
    o = null;
}

// Each runs at once, also in a coroutine, and while the main task and others are amid calls.
function loseSome(id) {
    for (var i = 0; i < 25; i++) {
        var before = ran;
        lose(function () { ran++; });
        equal(ran, before + 1, 'in a task');
        multicore.yield();
        before = ran;
        Duktape.Thread.resume(new Duktape.Thread(function () {
            multicore.yield();
            before = ran;
            lose(function () { ran++; });
            equal(ran, before + 1, 'in a coroutine');
            multicore.yield();
        }));
        native.work(i, 100);
        [1].forEach(function () { lose(function () { ran++; }); });
    }
    return id;
}
var tasks = range(10).map(function (id) { return multicore.spawn(loseSome, id); });
[1].forEach(function () {
    loseSome(0);
    joinAll(tasks);
});
equal(ran, 11 * 25 * 3);

// What would suspend is an error there; sections keep the interpreter.
var codes = [], results = [];
function inFinaliser() {
    lose(function () {
        [function () { multicore.sleep(1); }, function () { multicore.yield(); },
         function () { multicore.self().join(); }].forEach(function (f) { codes.push(caught(f).code); });
        results.push(native.work(1, 10), native.plainWork(2, 10), native.strangersWork(3, 10));
    });
}
inFinaliser();
multicore.spawn(inFinaliser).join();
multicore.spawn(function () { Duktape.Thread.resume(new Duktape.Thread(inFinaliser)); }).join();
equal(codes.join(), range(9).map(function () { return 'MC_EPERM'; }).join());
var once = [mix(1, 10), mix(2, 10), mix(3, 10)].join();
equal(results.join(), [once, once, once].join());

// Others wait until the finaliser has ended, though they are ready; elsewhere they need not.
var going = true;
var other = multicore.spawn(function () {
    while (going) { native.turn(); multicore.yield(); }
});
var turns = [];
multicore.spawn(function () {
    lose(function () { turns.push(native.waitForTurn(0.02)); });
    Duktape.Thread.resume(new Duktape.Thread(function () {
        lose(function () { turns.push(native.waitForTurn(0.02)); });
    }));
    turns.push(native.waitForTurn(60));
}).join();
lose(function () { turns.push(native.waitForTurn(0.02)); });
turns.push(inSection(native.waitForTurn, 60));
going = false;
other.join();
equal(turns.join(), 'false,false,true,false,true');

// Tasks may be spawned there.
var fromFinaliser;
lose(function () { fromFinaliser = multicore.spawn(function () { multicore.yield(); return 'later'; }); });
equal(fromFinaliser.join(), 'later');

// Collections in every task at once.
joinAll(range(8).map(function () {
    return multicore.spawn(function () {
        for (var i = 0; i < 10; i++) {
            var a = {}, b = {a: a};
            a.b = b;
            Duktape.gc();
            multicore.yield();
            equal(a.b.a, a);
        }
    });
}));
'done';
