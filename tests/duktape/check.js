// What the scripts check with.
// SPDX-License-Identifier: BSL-1.0
function equal(found, expected, what) {
    if (found !== expected) throw new Error((what || 'value') + ': ' + found + ' instead of ' + expected);
}

function caught(f) {
    try {
        f();
    } catch (e) {
        return e;
    }
    throw new Error('nothing was thrown by ' + f);
}

// What native.work(seed, rounds) gives.
function mix(seed, rounds) {
    for (var i = 0; i < rounds; i++) seed = (seed * 1103 + 12345) % 0x100000;
    return seed;
}

function range(n) {
    var list = [];
    for (var i = 0; i < n; i++) list.push(i);
    return list;
}

function joinAll(tasks) {
    return tasks.map(function (task) { return task.join(); });
}

// What f(...) returns, called where its section lets others run: the main task is bound to its thread, and where
// tasks are shipped it stays there.
function inSection(f) {
    var args = Array.prototype.slice.call(arguments, 1);
    return lends ? f.apply(null, args) : multicore.spawn.apply(null, [f].concat(args)).join();
}
