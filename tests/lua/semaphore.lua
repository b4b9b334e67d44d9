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
    local s, tasks = mc.semaphore(0), {}
    for i = 1, 5 do
        tasks[i] = mc.spawn(function() s:acquire() return i end)
        t.eventually(function() return tasks[i]:status() == "suspended" end)
    end
    for i = 1, 4 do
        s:release()
        t.eq(s:try(), false)
        t.eq(tasks[i]:join(60), i)
    end
    s:release(2)
    t.eq(tasks[5]:join(), 5)
    t.eq(s:try(), true)
end)

t.test("excludes, with sections inside", function()
    local s, inside, tasks = mc.semaphore(3), mc.semaphore(3), {}
    for i = 1, 20 do
        tasks[i] = mc.spawn(function()
            for _ = 1, 20 do
                s:acquire()
                t.eq(inside:try(), true)
                native.section(10)
                mc.yield()
                inside:release()
                s:release()
            end
        end)
    end
    for i = 1, 20 do tasks[i]:join() end
    t.match(tostring(s), "%(3%)")
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

t.test("no limit", function()
    local s = mc.semaphore(math.huge)
    for _ = 1, 3 do t.eq(s:acquire(), true) end
    s:release(3)
    t.raises("overflows", s.release, s)
end)

t.test("wrong arguments", function()
    t.raises("number expected", mc.semaphore)
    t.raises("negative", mc.semaphore, -1)
    t.raises("negative", function() mc.semaphore(0):release(-1) end)
end)

t.done()
