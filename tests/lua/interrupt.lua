-- task:interrupt in every state. SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

local function suspended(task) t.eventually(function() return task:status() == "suspended" end) end

t.test("asleep, joining, yielding", function()
    local sleeper = mc.spawn(function() mc.sleep(3600) end)
    local joiner = mc.spawn(function() sleeper:join() end)
    local yielder = mc.spawn(function() while true do mc.yield() end end)
    suspended(joiner)
    t.eq(yielder:interrupt("y"), true)
    t.raises("^y", yielder.join, yielder)
    joiner:interrupt("j")
    t.raises("^j", joiner.join, joiner)
    sleeper:interrupt()
    t.raises("^interrupted", sleeper.join, sleeper)
end)

t.test("any value; the task may catch it and go on", function()
    local value = {}
    local task = mc.spawn(function()
        local ok, err = pcall(mc.sleep, 3600)
        mc.sleep(0.001)
        return ok, err
    end)
    suspended(task)
    task:interrupt(value)
    local ok, err = task:join()
    t.eq(ok, false)
    t.eq(err, value)
end)

t.test("not started yet", function()
    local task = mc.spawn(function() mc.yield() return "never" end)
    t.eq(task:interrupt("early"), true)
    local ok, why = task:interrupt("again")
    t.eq(ok, false)
    t.eq(why, "pending")
    t.raises("^early", task.join, task)
    ok, why = task:interrupt("late")
    t.eq(ok, false)
    t.eq(why, "ended")
end)

t.test("never noticed: nothing happens", function()
    local task = mc.spawn(math.abs, -1) -- no Lua code runs in it
    task:interrupt("unseen")
    t.eq(task:join(), 1)
end)

t.test_with("preemption", "computing, also inside coroutines and pcall", function()
    local flag
    for _, body in ipairs {
        function() flag = true while true do end end,
        function() coroutine.wrap(function() flag = true while true do end end)() end,
        function() for _ in coroutine.wrap(function() flag = true while true do coroutine.yield(1) end end) do end end,
        function() table.sort({3, 2, 1}, function() flag = true while true do end end) end,
        function() local ok, e = pcall(function() flag = true while true do end end) error(e, 0) end,
    } do
        flag = false
        local task = mc.spawn(body)
        while not flag do mc.yield() end
        task:interrupt("stop")
        t.raises("stop", task.join, task) -- coroutine.wrap puts the place before it
    end
end)

t.test_with("to-be-closed variables", "in what a coroutine closes at its end", function()
    local flag = false
    local function endless()
        return setmetatable({}, {__close = function() flag = true while true do end end})
    end
    local closing = mc.spawn(function()
        local co = coroutine.create(function() t.code "local c <close> = ... coroutine.yield()"(endless()) end)
        coroutine.resume(co)
        return coroutine.close(co)
    end)
    while not flag do mc.yield() end
    closing:interrupt("stop")
    local ok, err = closing:join()
    t.eq(ok, false)
    t.eq(err, "stop")
    flag = false
    local dying = mc.spawn(coroutine.wrap(function() t.code "local c <close> = ... error 'x'"(endless()) end))
    while not flag do mc.yield() end
    dying:interrupt("stop")
    t.raises("stop", dying.join, dying)
end)

t.test("oneself, at once", function()
    t.raises("^me$", function()
        mc.self():interrupt("me")
        while not jit do end
    end)
    local task = mc.spawn(function() mc.self():interrupt("myself") mc.sleep(3600) end)
    t.raises("^myself", task.join, task)
end)

t.test("in a section: raised after the native function", function()
    local gate, inside, after = native.gate(), native.gate(), false
    local task = mc.spawn(function()
        local ok, err = pcall(function() gate:pass_through(inside) for _ = 1, 1e9 do end end)
        after = true
        error(err, 0)
    end)
    inside:pass()
    task:interrupt("while inside")
    t.eq(task:status(), "section")
    gate:open()
    t.raises("^while inside", task.join, task)
    t.eq(after, true)
end)

t.test("in a section that can be unblocked or that polls", function()
    local gate = native.gate()
    local task = mc.spawn(function() gate:pass_or_unblock() mc.yield() end)
    t.eventually(function() return task:status() == "section" end)
    task:interrupt("unblocked")
    t.raises("^unblocked", task.join, task)
    local inside = native.gate()
    task = mc.spawn(function() native.poll_cancelled(inside) mc.yield() end)
    inside:pass()
    task:interrupt("polled")
    t.raises("^polled", task.join, task)
end)

t.test("the main task, by another", function()
    local main = mc.self()
    mc.spawn(function() main:interrupt("from below") end)
    t.raises("^from below$", mc.sleep, 3600)
    mc.spawn(function() main:interrupt("from below") end)
    t.raises("^from below$", function() while true do mc.yield() end end)
end)

t.done()
