// Tasks lose their turn in the middle of all that Duktape does on the C stack, with errors, collections
// and sections; what each computes stays its own.
// SPDX-License-Identifier: BSL-1.0
var TASKS = 20, STEPS = 60;
var switches = 0;

function pause(x) {
    switches++;
    if (x % 3 === 0) equal(native.work(x, 40), mix(x, 40), 'work');
    else if (x % 7 === 0) equal(native.plainWork(x, 20), mix(x, 20), 'plainWork');
    else multicore.yield();
    return x;
}

var kinds = [
    function tryCatch(id, step) {
        var log = [];
        for (var i = 0; i < 4; i++) {
            try {
                pause(i);
                if (i % 2) throw new Error(id + '/' + i);
                log.push(i);
            } catch (e) {
                pause(step);
                log.push(e.message);
            } finally {
                pause(id);
            }
        }
        equal(log.join(), [0, id + '/1', 2, id + '/3'].join(), 'try');
    },
    function returnInFinally(id) {
        function f() {
            try {
                return pause(id);
            } finally {
                pause(id + 1);
            }
        }
        equal(f(), id, 'finally');
    },
    function sortComparator(id, step) {
        var list = [5, 3, 8, 1, 9, 2].map(function (x) { return x * (id + 1) + step; });
        var expected = list.slice().sort(function (a, b) { return a - b; }).join();
        equal(list.sort(function (a, b) { pause(a); return a - b; }).join(), expected, 'sort');
    },
    function throwingComparator(id) {
        var e = caught(function () {
            [3, 1, 2].sort(function () { pause(id); throw id; });
        });
        equal(e, id, 'comparator');
    },
    function callbacks(id) {
        var sum = 0;
        [1, 2, 3].forEach(function (x) { sum += pause(x) * id; });
        equal(sum, 6 * id, 'forEach');
        equal([1, 2, 3].map(pause).filter(function (x) { return pause(x) > 1; }).reduce(
                  function (a, b) { return pause(a) + b; }), 5, 'reduce');
        equal('a-b-c'.replace(/-/g, function () { pause(id); return id; }), 'a' + id + 'b' + id + 'c',
              'replace');
    },
    function conversions(id) {
        var o = {
            valueOf: function () { return pause(id); },
            toString: function () { pause(id); return 's' + id; },
            toJSON: function () { pause(id); return [id]; }
        };
        equal(o + 1, id + 1, 'valueOf');
        equal(String(o), 's' + id, 'toString');
        equal(JSON.stringify({a: o, b: [o]}), '{"a":[' + id + '],"b":[[' + id + ']]}', 'toJSON');
        var keyed = {};
        keyed[o] = id;
        equal(keyed['s' + id], id, 'key');
    },
    function accessors(id) {
        var o = {
            get x() { return pause(id); },
            set x(v) { pause(v); this.y = v; }
        };
        equal(o.x, id, 'getter');
        o.x = id * 2;
        equal(o.y, id * 2, 'setter');
    },
    function proxies(id) {
        var p = new Proxy({}, {
            get: function (target, key) { pause(id); return key + id; },
            has: function () { pause(id); return true; }
        });
        equal(p.k, 'k' + id, 'proxy get');
        equal('q' in p, true, 'proxy has');
    },
    function coroutines(id) {
        var thread = new Duktape.Thread(function (start) {
            var x = start;
            for (;;) {
                pause(x);
                x = Duktape.Thread.yield(x * 2) + pause(id);
            }
        });
        equal(Duktape.Thread.resume(thread, id), id * 2, 'resume');
        pause(id);
        equal(Duktape.Thread.resume(thread, 5), (5 + id) * 2, 'resume again');
        var failing = new Duktape.Thread(function () { pause(id); throw id; });
        equal(caught(function () { Duktape.Thread.resume(failing); }), id, 'thread error');
        var nested = new Duktape.Thread(function (n) {
            return Duktape.Thread.resume(new Duktape.Thread(function (m) { pause(m); return m + 1; }), n) * 10;
        });
        equal(Duktape.Thread.resume(nested, id), (id + 1) * 10, 'nested');
    },
    function nativeCalls(id) {
        equal(native.call(function (x) { return pause(x) + 1; }, id), id + 1, 'call');
        equal(native.callBack(function (x) { return pause(x) + 2; }, id), id + 2, 'callBack');
        equal(caught(function () { native.call(function () { pause(id); throw id; }); }), id, 'call error');
        equal(caught(function () { native.callBack(function () { pause(id); throw id; }); }), id, 'callBack error');
    },
    function evaluation(id) {
        equal(eval('pause(' + id + ') + 1'), id + 1, 'eval');
        equal(new Function('x', 'pause(x); return x * 3')(id), id * 3, 'Function');
        equal(caught(function () { eval('pause(' + id + '); syntax error here'); }) instanceof SyntaxError, true);
    },
    function collection(id, step) {
        var lost = 0;
        for (var i = 0; i < 3; i++) {
            var o = {};
            o.self = o;
            Duktape.fin(o, function () { lost++; native.work(1, 5); });
            o = null;
            pause(i);
        }
        if (step % 10 === 0) {
            Duktape.gc();
            equal(lost, 3, 'finalisers of cycles');
        }
    },
    function hookedErrors(id) {
        // Duktape.errCreate runs in the middle of making an error.
        equal(caught(function () { null.x; }) instanceof TypeError, true);
        pause(id);
    }
];

Duktape.errCreate = function (e) { multicore.yield(); e.seen = true; return e; };
equal(caught(function () { undefined.x; }).seen, true);

function worker(id) {
    var done = 0;
    for (var step = 0; step < STEPS; step++) {
        kinds[(id + step) % kinds.length](id, step);
        done++;
    }
    return id * 1000 + done;
}

var start = native.barrier(TASKS), threads = {};
var tasks = range(TASKS).map(function (id) {
    return multicore.spawn(function () {
        threads[native.meet(start)] = true;
        return worker(id);
    });
});
equal(worker(77), 77000 + STEPS, 'the main task, at the same time');
equal(joinAll(tasks).join(), range(TASKS).map(function (id) { return id * 1000 + STEPS; }).join());
delete Duktape.errCreate;

equal(Object.keys(threads).length, TASKS, 'threads that ran sections at once');
equal(lends ? native.handoffs() >= TASKS - 1 : native.handoffs() === 0, true, 'handoffs');
equal(lends || native.inlineSections() > 0, true, 'sections that stayed');
if (switches < 5000) throw new Error('only ' + switches + ' switches');
'done';
