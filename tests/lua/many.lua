-- Ten thousand sleepers, a thousand sections. SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

-- The thread sanitizer takes each task for a thread, and has room for some thousand; the address sanitizer makes
-- stacks of 16 MiB of the 4 that Lua 5.1 needs.
local MANY = (native.thread_sanitized or native.sanitized and _VERSION == "Lua 5.1") and 2000 or 10000

t.test(MANY .. " sleeping tasks need no thread each", function()
    local tasks = {}
    for i = 1, MANY do tasks[i] = mc.spawn(mc.sleep, 3600) end
    t.eventually(function() return tasks[MANY]:status() == "suspended" end)
    t.eq(mc.stats().tasks_alive, MANY + 1)
    local threads = native.threads()
    t.eq(threads <= 4, true, "threads: " .. threads)
    for i = 1, MANY do tasks[i]:interrupt(i) end
    for i = 1, MANY do t.eq(select(2, pcall(tasks[i].join, tasks[i])), i) end
    t.eq(mc.stats().tasks_alive, 1)
end)

t.test(MANY .. " sleepers wake", function()
    local tasks, sum = {}, 0
    for i = 1, MANY do tasks[i] = mc.spawn(function() mc.sleep(0.1) return i end) end
    for i = 1, MANY do sum = sum + tasks[i]:join() end
    t.eq(sum, MANY * (MANY + 1) / 2)
end)

t.test("200 sections block at once", function()
    local n = 200
    local barrier = native.barrier(n)
    local tasks = {}
    for i = 1, n do tasks[i] = mc.spawn(function() barrier:wait() return i end) end
    for i = 1, n do t.eq(tasks[i]:join(), i) end
end)

t.test("stacks are used again", function()
    for _ = 1, 5 do
        local tasks = {}
        for i = 1, 2000 do tasks[i] = mc.spawn(function() mc.yield() return i end) end
        for i = 1, 2000 do t.eq(tasks[i]:join(), i) end
    end
end)

t.done()
