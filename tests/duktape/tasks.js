// spawn, join and what a handle tells.
// SPDX-License-Identifier: BSL-1.0
var spawn = multicore.spawn;

equal(spawn(function () { return 42; }).join(), 42);
equal(spawn(function (a, b, c) { return a + b + c; }, 1, 2, 3).join(), 6);
equal(spawn(function () { return arguments.length; }).join(), 0);
equal(spawn(function () {}).join(), undefined);
equal(spawn(function () { return this; }).join(), undefined === this ? undefined : this);
var big = range(500);
equal(spawn.apply(null, [function () { return arguments.length + arguments[499]; }].concat(big)).join(), 999);

// Values and errors are the same objects.
var object = {}, error = new TypeError('mine');
equal(spawn(function () { return object; }).join(), object);
var failing = spawn(function () { multicore.yield(); throw error; });
equal(caught(function () { failing.join(); }), error);
equal(caught(function () { failing.join(); }), error, 'again');
equal(caught(function () { spawn(function () { throw 7; }).join(); }), 7);
equal(caught(function () { spawn(function () { throw undefined; }).join(); }), undefined);

// Nothing runs before its turn.
var order = [];
var first = spawn(function () { order.push('a1'); multicore.yield(); order.push('a2'); });
var second = spawn(function () { order.push('b1'); multicore.yield(); order.push('b2'); });
order.push('main');
equal(first.done, false);
first.join();
second.join();
equal(first.done, true);
equal(order.join(), 'main,a1,b1,a2,b2');

// Several tasks join one.
var slow = spawn(function () { multicore.sleep(0.002); return 'slow'; });
equal(joinAll(range(5).map(function () { return spawn(function () { return slow.join(); }); })).join(),
      'slow,slow,slow,slow,slow');

// Times.
var sleeper = spawn(function () { multicore.sleep(Infinity); });
equal(caught(function () { sleeper.join(0); }).code, 'MC_ETIMEDOUT');
equal(caught(function () { sleeper.join(0.001); }).code, 'MC_ETIMEDOUT');
multicore.sleep(0);
multicore.sleep(-1);
multicore.sleep();
equal(caught(function () { multicore.sleep(NaN); }) instanceof RangeError, true);
equal(caught(function () { multicore.sleep('1'); }) instanceof TypeError, true);

// Handles.
function named() { return multicore.self(); }
var handle = spawn(named);
equal(handle.name, 'named');
equal(handle.join(), handle);
equal(multicore.self().name, 'main');
equal(multicore.self(), multicore.self());
equal(multicore.self().done, false);
equal(caught(function () { multicore.self().join(); }).code, 'MC_EDEADLK');
equal(caught(function () { handle.join.call({}); }) instanceof TypeError, true);
equal(caught(function () { handle.join.call(null); }) instanceof TypeError, true);
equal(caught(function () { spawn(); }) instanceof TypeError, true);
equal(caught(function () { spawn({}); }) instanceof TypeError, true);
equal(/ \d+$/.test(spawn(function () {}).name), true);

// Functions of other kinds.
equal(spawn(Math.max, 3, 9, 4).join(), 9);
equal(spawn(named.bind(null)).join().done, true);

// Tasks spawn tasks.
function tree(depth) {
    if (depth === 0) return 1;
    var left = spawn(tree, depth - 1), right = spawn(tree, depth - 1);
    return left.join() + right.join();
}
equal(tree(7), 128);

// A script's own finaliser on a handle takes nothing away.
var finalised = 0;
(function () {
    var t = spawn(function () { return 1; });
    Duktape.fin(t, function () { finalised++; });
    t.join();
})();
Duktape.gc();
equal(finalised, 1);
'done';
