-- spawn, join, errors, names, states. SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

t.test("results come back, nils and all", function()
    local task = mc.spawn(function(...) return select("#", ...), ... end, nil, 2, nil)
    local r = t.pack(task:join())
    t.eq(r.n, 4)
    t.eq(r[1], 3)
    t.eq(r[2], nil)
    t.eq(r[3], 2)
    t.eq(select("#", mc.spawn(function() end):join()), 0)
end)

t.test("join twice, by several", function()
    local task = mc.spawn(function() mc.yield() return {} end)
    local a, b = mc.spawn(function() return task:join() end), mc.spawn(function() return task:join() end)
    local first = task:join()
    t.eq(task:join(), first)
    t.eq(a:join(), first)
    t.eq(b:join(), first)
end)

t.test("an error comes out of join, with the task's traceback", function()
    local function culprit() error("boom") end
    local task = mc.spawn(function() culprit() return 1 end)
    local err = t.raises("tasks%.lua:%d+: boom", task.join, task)
    t.match(err, "stack traceback:")
    t.match(err, "culprit")
    t.raises("boom", task.join, task)
end)

t.test("an error that is no string stays what it is", function()
    local thing = setmetatable({}, {__tostring = function() return "thing" end})
    local task = mc.spawn(function() error(thing) end)
    local ok, err = pcall(task.join, task)
    t.eq(ok, false)
    t.eq(err, thing)
    local ok2, err2 = pcall(function() return mc.spawn(function() error() end):join() end)
    t.eq(ok2, false)
    t.eq(err2, nil)
end)

t.test("join with a timeout", function()
    local gate = native.gate()
    local task = mc.spawn(function() gate:pass() return "through" end)
    local r, why = task:join(0)
    t.eq(r, nil)
    t.eq(why, "timeout")
    t.eq(select(2, task:join(0.001)), "timeout")
    gate:open()
    t.eq(task:join(60), "through")
end)

t.test("a task cannot wait for itself", function()
    t.raises("cannot wait for itself", function() mc.self():join() end)
    local task = mc.spawn(function() mc.self():join() end)
    t.raises("cannot wait for itself", task.join, task)
end)

t.test("self and name", function()
    t.eq(mc.self(), mc.self())
    t.eq(mc.self():name(), "main")
    local task = mc.spawn {name = "fetch", function(a, b) return mc.self(), a, b end, 1, 2}
    local me, a, b = task:join()
    t.eq(me, task)
    t.eq(a, 1)
    t.eq(b, 2)
    t.eq(task:name(), "fetch")
    t.match(mc.spawn(function() end):name(), "task")
    t.match(tostring(task), "task 'fetch' %(ended%)")
end)

t.test("status", function()
    local gate, inside = native.gate(), native.gate()
    local task
    task = mc.spawn(function()
        t.eq(task:status(), "running")
        gate:pass_through(inside)
        mc.sleep(3600)
    end)
    t.match(task:status(), "new")
    inside:pass()
    t.eq(task:status(), "section")
    gate:open()
    t.eventually(function() return task:status() == "suspended" end)
    t.eq(mc.self():status(), "running")
    task:interrupt()
    t.raises("interrupted", task.join, task)
    t.eq(task:status(), "ended")
end)

t.test("a callable table is a function", function()
    local f = setmetatable({}, {__call = function(_, x) return x + 1 end})
    t.eq(mc.spawn(f, 1):join(), 2)
end)

t.test("an error that nobody joins goes to the handler", function()
    local seen = {}
    local previous = mc.on_error(function(err, traceback, name) seen[#seen + 1] = {err, traceback, name} end)
    t.eq(previous, nil)
    mc.spawn {name = "lost", function() error("lost error") end}
    local handled = mc.spawn(function() error("handled") end)
    pcall(handled.join, handled)
    handled = nil
    t.eventually(function() collectgarbage() return #seen > 0 end)
    collectgarbage()
    collectgarbage()
    t.eq(#seen, 1)
    t.match(seen[1][1], "lost error")
    t.match(seen[1][2], "stack traceback")
    t.eq(seen[1][3], "lost")
    t.eq(type(mc.on_error(nil)), "function")
end)

t.test_with("to-be-closed variables", "a task as a to-be-closed variable is joined", function()
    t.code [[
        local done = false
        do
            local task <close> = mc.spawn(function() mc.yield() mc.yield() done = true end)
        end
        t.eq(done, true)
        t.raises("inner", function()
            local task <close> = mc.spawn(function() error("inner") end)
        end)
        local slept
        t.raises("outer", function()
            local task <close> = mc.spawn(function() slept = true mc.sleep(3600) slept = false end)
            t.eventually(function() return slept end)
            error("outer")
        end)
        t.eq(slept, true)
    ]]()
end)

t.test_with("to-be-closed variables", "oneself as a to-be-closed variable", function()
    t.code [[
        t.raises("^outer$", function() local me <close> = mc.self() error("outer", 0) end)
        t.raises("cannot wait for itself", function() local me <close> = mc.self() end)
        mc.sleep(0.001)
    ]]()
end)

t.test("tasks take turns", function()
    local trace, turn = {}, "a"
    local function body(name, other)
        for i = 1, 3 do
            while turn ~= name do mc.yield() end
            trace[#trace + 1] = name
            turn = other
        end
    end
    local a, b = mc.spawn(body, "a", "b"), mc.spawn(body, "b", "a")
    a:join() b:join()
    t.eq(table.concat(trace), "ababab")
end)

t.test("deep recursion in a task is Lua's own error", function()
    local function deep(n) return 1 + deep(n + 1) end
    t.raises("stack overflow", function() mc.spawn(deep, 1):join() end)
    local function nested(s) return (s:gsub(".", nested)) end
    if t.has "a limit of nested C calls" then
        t.raises("C stack overflow", function() mc.spawn(nested, "x"):join() end)
    end
    local function through_c(n) return native.call(through_c, n + 1) end
    t.raises("overflow", function() mc.spawn(through_c, 1):join() end)
end)

t.test("wrong arguments", function()
    t.raises("bad argument #1 to '[%w.?]*' %(function expected, got no value%)", mc.spawn)
    t.raises("function expected, got number", mc.spawn, 1)
    t.raises("must be a function", mc.spawn, {1})
    t.raises("name must be a string", mc.spawn, {name = {}, print})
    t.raises("no memory for a C stack of that size", mc.spawn, {stack = math.maxinteger or 2 ^ 52, print})
    local task = mc.spawn(function() return t.unpack({}, 1, 600000) end)
    t.raises("too many results", task.join, task)
    t.raises("bad argument #1", mc.sleep, "x")
    t.raises("NaN", mc.sleep, 0 / 0)
    t.raises("multicore.task expected", mc.self().join, 1)
    t.raises("number expected", function() mc.self():join("x") end)
    t.raises("function expected", mc.on_error, 1)
end)

t.test_with("coroutine.close", "an ended task whose lua_State is closed or resumed", function()
    local co
    local task = mc.spawn(function() co = coroutine.running() return 1, 2, 3 end)
    t.eq(select("#", task:join()), 3)
    t.eq(coroutine.close(co), true)
    t.raises("is gone", task.join, task)
    task = mc.spawn(function() co = coroutine.running() error("boom") end)
    t.raises("boom", task.join, task)
    coroutine.close(co)
    t.raises("is gone", task.join, task)
    task = mc.spawn(function() co = coroutine.running() return function() coroutine.yield(1, 2) mc.sleep(3600) end end)
    task:join()
    coroutine.resume(co)
    t.raises("is gone", task.join, task)
    local sleeper = mc.spawn(coroutine.resume, co)
    t.eventually(function() return sleeper:status() == "suspended" end)
    t.raises("is gone", task.join, task)
    sleeper:interrupt()
    sleeper:join()
    t.raises("is gone", task.join, task)
    local seen = {}
    local previous = mc.on_error(function(err, traceback) seen = {err, traceback} end)
    task = mc.spawn(function() co = coroutine.running() error("boom") end)
    t.eventually(function() return task:status() == "ended" end)
    coroutine.close(co)
    task = nil
    t.eventually(function() collectgarbage() return seen[2] end)
    t.eq(seen[1], nil)
    mc.on_error(previous)
end)

t.test("now and sleep", function()
    local start = mc.now()
    mc.sleep(0.002)
    t.eq(mc.now() - start >= 0.002, true)
    mc.sleep(0)
    mc.sleep(-1)
end)

t.done()
