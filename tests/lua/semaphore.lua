-- SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

t.test("counts", function()
    local s = mc.semaphore(2)
    t.eq(s:acquire(), true)
    t.eq(s:try(), true)
    t.eq(s:try(), false)
    t.eq(select(2, s:acquire(0)), "timeout")
    t.eq(select(2, s:acquire(0.001)), "timeout")
    s:release(2)
    t.eq(s:try(), true)
    t.match(tostring(s), "semaphore %(1%)")
end)

t.test("first come, first served, before anybody who tries", function()
    local s, order, tasks = mc.semaphore(0), {}, {}
    for i = 1, 5 do tasks[i] = mc.spawn(function() s:acquire() order[#order + 1] = i end) end
    mc.yield()
    s:release(3)
    t.eq(s:try(), false)
    s:release(2)
    for i = 1, 5 do tasks[i]:join() end
    t.eq(table.concat(order), "12345")
end)

t.test("excludes, with sections inside", function()
    local s, inside, most, tasks = mc.semaphore(3), 0, 0, {}
    for i = 1, 20 do
        tasks[i] = mc.spawn(function()
            for _ = 1, 20 do
                s:acquire()
                inside = inside + 1
                most = math.max(most, inside)
                native.section(10)
                mc.yield()
                inside = inside - 1
                s:release()
            end
        end)
    end
    for i = 1, 20 do tasks[i]:join() end
    t.eq(inside, 0)
    t.eq(most, 3)
end)

t.test("an interrupted waiter takes nothing", function()
    local s = mc.semaphore(0)
    local task = mc.spawn(function() s:acquire() end)
    mc.yield()
    task:interrupt()
    t.raises("interrupted", task.join, task)
    s:release()
    t.eq(s:try(), true)
end)

t.test("wrong arguments", function()
    t.raises("number expected", mc.semaphore)
    t.raises("negative", mc.semaphore, -1)
    t.raises("negative", function() mc.semaphore(0):release(-1) end)
end)

t.done()
