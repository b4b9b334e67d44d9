// An interrupt throws in what the task waits for, or when its native function has returned.
// SPDX-License-Identifier: BSL-1.0
function sleeper() { multicore.sleep(Infinity); }

var t = multicore.spawn(sleeper);
equal(t.interrupt(), true, 'before it has started');
equal(t.interrupt(), false, 'one is pending');
var e = caught(function () { t.join(); });
equal(e.code, 'MC_EINTR');
equal(t.interrupt(), false, 'ended');

t = multicore.spawn(sleeper);
multicore.yield();
var mine = new Error('mine');
equal(t.interrupt(mine), true);
equal(caught(function () { t.join(); }), mine);

// A task that catches it goes on, and can be interrupted again.
t = multicore.spawn(function () {
    var log = [];
    for (var i = 0; i < 3; i++) {
        try { multicore.sleep(Infinity); } catch (x) { log.push(x); }
    }
    return log.join();
});
range(3).forEach(function (i) {
    multicore.yield();
    while (!t.interrupt(i)) multicore.yield();
});
equal(t.join(), '0,1,2');

// In a join, and in a coroutine.
var forever = multicore.spawn(sleeper);
t = multicore.spawn(function () {
    Duktape.Thread.resume(new Duktape.Thread(function () { forever.join(); }));
});
multicore.yield();
t.interrupt('stop');
equal(caught(function () { t.join(); }), 'stop');
equal(forever.done, false);

// In a section: its unblock function is called, and the interrupt is thrown once it has returned.
var gate = native.gate(), inside = native.gate(), status;
t = multicore.spawn(function () { status = native.passOrUnblock(gate, inside); });
inSection(native.pass, inside);
equal(t.interrupt('enough'), true);
equal(caught(function () { t.join(); }), 'enough');
equal(status, undefined);

// Oneself, at the next call.
t = multicore.spawn(function () {
    multicore.self().interrupt('me');
    return caught(multicore.yield);
});
equal(t.join(), 'me');
multicore.self().interrupt('main');
equal(caught(function () { native.work(1, 1); }), 'main');
equal(caught(function () { multicore.self().interrupt.call(1); }) instanceof TypeError, true);

// Not twice: what was thrown is gone.
multicore.yield();
'done';
