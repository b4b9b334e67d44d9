// Hashes the files that are named in `args`, at most eight at a time, and prints them in their order.
// SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
var next = 0, lines = [];

// Nobody else runs between two calls of multicore or of functions with sections: next++ is whole.
function worker() {
    while (next < args.length) {
        var i = next++;
        try {
            lines[i] = sha256(args[i]) + '  ' + args[i];
        } catch (e) {
            lines[i] = 'failed: ' + e.message;
        }
    }
}

var workers = [];
for (var n = 0; n < Math.min(8, args.length); n++) workers.push(multicore.spawn(worker));
workers.forEach(function (task) { task.join(); });
lines.forEach(print);
