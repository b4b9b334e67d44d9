// Sections run at once, on threads of their own, and the interpreter goes on meanwhile.
// SPDX-License-Identifier: BSL-1.0
var N = 8;

// Passed only if all of them are open at once.
var barrier = native.barrier(N);
var threads = joinAll(range(N).map(function () { return multicore.spawn(native.meet, barrier); }));
equal(threads.filter(function (t, i) { return threads.indexOf(t) === i; }).length, N, 'threads');
equal(lends ? native.handoffs() >= N - 1 : native.handoffs() === 0, true, 'handoffs');

// The main task runs while a section waits for it; and a task while the main task's does.
var here = native.gate(), there = native.gate();
var waiting = multicore.spawn(function () { native.pass(here, there); return 'passed'; });
inSection(native.pass, there);
equal(waiting.done, false);
native.open(here);
equal(waiting.join(), 'passed');

var opener = multicore.spawn(function () { native.open(here); return native.thread(); });
inSection(native.pass, here);
opener.join();

// Through sections the interpreter gets about, and values stay what they are.
var seen = {};
var sums = joinAll(range(20).map(function (id) {
    return multicore.spawn(function () {
        var sum = 0;
        for (var i = 0; i < 50; i++) {
            sum = (sum + native.work(id * 100 + i, 3000)) % 1000003;
            seen[native.thread()] = true;
        }
        return sum;
    });
}));
sums.forEach(function (sum, id) {
    if (id % 5) return; // slow to compute here
    var expected = 0;
    for (var i = 0; i < 50; i++) expected = (expected + mix(id * 100 + i, 3000)) % 1000003;
    equal(sum, expected, 'sum ' + id);
});
if (!lends) equal(Object.keys(seen).length, 1, 'threads that ran the script');

// Script called from inside a section: others have their turn in it, and it may open sections.
var inner = native.gate();
var result = joinAll([
    multicore.spawn(native.callBack, function (x) {
        native.pass(inner);
        multicore.yield();
        return x + native.work(x, 10);
    }, 5),
    multicore.spawn(function () { native.open(inner); return 'opened'; })
]);
equal(result.join(), [5 + mix(5, 10), 'opened'].join());

// Functions that were not made by mc_duktape_push_c_function.
equal(joinAll(range(4).map(function (i) { return multicore.spawn(native.strangersWork, i, 1000); })).join(),
      range(4).map(function (i) { return mix(i, 1000); }).join());

// Where tasks are shipped, only those sections move that say that they may.
var inline = native.inlineSections(), home = native.thread();
var stayed = joinAll(range(10).map(function (i) {
    return multicore.spawn(i % 2 ? native.work : native.plainWork, i, 100);
}));
equal(stayed.join(), range(10).map(function (i) { return mix(i, 100); }).join());
equal(native.inlineSections() - inline, lends ? 0 : 5, 'inline sections');
if (!lends) equal(native.thread(), home);
'done';
