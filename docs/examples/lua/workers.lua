-- At most three at a time, by a semaphore; and a list mapped by as many tasks.
-- SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
local mc = require "multicore"

local slots, tasks, running, most = mc.semaphore(3), {}, 0, 0
for i = 1, 12 do
    tasks[i] = mc.spawn(function()
        slots:acquire()
        running = running + 1
        most = math.max(most, running)
        mc.sleep(0.002)
        running = running - 1
        slots:release()
        return i
    end)
end
local sum = 0
for _, task in ipairs(tasks) do sum = sum + task:join() end
print("sum " .. sum .. ", at most " .. most .. " at a time")

local squares = mc.map(function(n) mc.sleep(0.001) return n * n end, {1, 2, 3, 4, 5}, 3)
print(table.concat(squares, " "))
