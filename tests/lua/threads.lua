-- threads{} and stats. SPDX-License-Identifier: BSL-1.0
local t, native = require "check", require "native"
t.eq(native.has_runtime(), false)
local before = native.threads()
local mc = require "multicore"

t.test("loading starts no thread", function()
    t.eq(native.threads(), before)
    t.eq(native.has_runtime(), true)
    t.eq(mc.stats().threads, 0)
end)

t.test("threads{} limits the pool", function()
    mc.threads {max = 2, keep_idle = 1, idle_timeout = 0.5}
    local tasks = {}
    for i = 1, 10 do tasks[i] = mc.spawn(function() native.section(1000) return i end) end
    for i = 1, 10 do t.eq(tasks[i]:join(), i) end
    t.eq(mc.stats().threads_peak <= 2, true)
end)

t.test("not while tasks are alive", function()
    local task = mc.spawn(function() mc.yield() return (select(2, pcall(mc.threads, {max = 3}))) end)
    t.raises("tasks are alive", mc.threads, {max = 3})
    t.match(task:join(), "tasks are alive")
    mc.enable(false)
    mc.threads {max = 64, keep_idle = 0, idle_timeout = math.huge}
    t.eq(mc.enable(true), false)
    t.eq(mc.spawn(function() return 5 end):join(), 5)
end)

t.test("not in a callback", function()
    t.raises("not in the callback", native.call_back, mc.threads, {max = 3})
    native.call_back(function() t.raises("not in the callback", native.call_back, mc.threads, {max = 3}) end)
    native.section()
    mc.threads {max = 64}
end)

t.test("stats", function()
    local s = mc.stats()
    for _, name in ipairs {"tasks_alive", "tasks_spawned", "sections", "sections_inline", "handoffs", "wakes", "threads", "threads_peak", "longest_wait"} do
        t.eq(type(s[name]), "number", name)
    end
    t.eq(s.tasks_alive, 1)
    native.section()
    t.eq(mc.stats().sections, s.sections + 1)
    mc.spawn(function() end):join()
    t.eq(mc.stats().tasks_spawned, s.tasks_spawned + 1)
end)

t.test("wrong arguments", function()
    t.raises("table expected", mc.threads)
    t.raises("unknown setting 'most'", mc.threads, {most = 1})
    t.raises("max must be an integer, 1 or more", mc.threads, {max = 0})
    t.raises("keep_idle must be", mc.threads, {keep_idle = 1.5})
    t.raises("idle_timeout must be", mc.threads, {idle_timeout = -1})
end)

t.done()
