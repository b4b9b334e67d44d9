-- At most three at a time, by a semaphore; and a list mapped by as many tasks.
-- SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
local mc = require "multicore"

local slots, tasks, running, most = mc.semaphore(3), {}, 0, 0

-- A task may lose its turn between two instructions; not within an atomic scope.
local function count(by)
    local whole <close> = mc.scope "atomic"
    running = running + by
    most = math.max(most, running)
end

for i = 1, 12 do
    tasks[i] = mc.spawn(function()
        slots:acquire()
        count(1)
        mc.sleep(0.002)
        count(-1)
        slots:release()
        return i
    end)
end
local sum = 0
for _, task in ipairs(tasks) do sum = sum + task:join() end
print("sum " .. sum .. ", at most " .. most .. " at a time")

local squares = mc.map(function(n) mc.sleep(0.001) return n * n end, {1, 2, 3, 4, 5}, 3)
print(table.concat(squares, " "))
