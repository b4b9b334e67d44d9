// Recursion through native functions ends in Duktape's own error, on the stack of a task too.
// SPDX-License-Identifier: BSL-1.0
function viaCallback(n) { return [n].map(function (x) { return viaCallback(x + 1); })[0]; }
function viaGetter(o) { return o.x; }
var looped = { get x() { return viaGetter(this); } };
function viaSort(n) { return [1, 2].sort(function () { return viaSort(n + 1); }); }
function viaReplace(s) { return s.replace(/./, viaReplace); }
function viaJson() { return JSON.stringify({toJSON: viaJson}); }
function viaNative(n) { return native.callBack(viaNative, n + 1); }
function plain(n) { return plain(n + 1) + 1; }

[viaCallback, viaGetter.bind(null, looped), viaSort, viaReplace.bind(null, 'x'), viaJson, viaNative,
 plain].forEach(function (f) {
    var tasks = range(3).map(function () {
        return multicore.spawn(function () {
            multicore.yield();
            return caught(function () { f(0); }) instanceof RangeError;
        });
    });
    equal(joinAll(tasks).join(), 'true,true,true', f);
});

// Threads in threads, which Duktape does not limit.
function viaThread(n) {
    if (n === 0) return native.work(2, 9);
    multicore.yield();
    return Duktape.Thread.resume(new Duktape.Thread(viaThread), n - 1) + 1;
}
equal(joinAll(range(3).map(function () { return multicore.spawn(viaThread, 200); })).join(),
      range(3).map(function () { return 200 + mix(2, 9); }).join());

// Others have their turn at the deepest point.
function deep(n) { return n ? [n].map(function (x) { return deep(x - 1); })[0] + 1 : (multicore.yield(), native.work(1, 9)); }
equal(joinAll(range(5).map(function () { return multicore.spawn(deep, 300); })).join(),
      range(5).map(function () { return 300 + mix(1, 9); }).join());
'done';
