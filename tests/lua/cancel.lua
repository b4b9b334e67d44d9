-- task:cancel and task:abandon. SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

local function suspended(task) t.eventually(function() return task:status() == "suspended" end) end

local function was_cancelled(task)
    local result, why = task:join()
    t.eq(result, nil)
    t.eq(why, "cancelled")
    t.eq(task:status(), "ended")
end

-- A task that waits by f, and whether its to-be-closed variable was closed.
local function waiting(f)
    local closed = {}
    local task = mc.spawn(function()
        local guard <close> = setmetatable({}, {__close = function(_, err) closed.err = err end})
        f()
        closed.went_on = true
    end)
    suspended(task)
    return task, closed
end

local function waits()
    local channel, full, semaphore = mc.channel(), mc.channel(), mc.semaphore(0)
    local sleeper = mc.spawn(mc.sleep, 3600)
    local fd = native.pipe()
    return {
        sleep = function() mc.sleep(3600) end,
        receive = function() channel:receive() end,
        send = function() full:send(1) end,
        acquire = function() semaphore:acquire() end,
        join = function() sleeper:join() end,
        wait = function() mc.wait(fd, "r") end,
        map = function() mc.map(mc.sleep, {3600}) end,
    }, channel, full, semaphore, sleeper
end

t.test("cancel ends whatever waits; variables are closed; joiners are told", function()
    local all, channel, full, semaphore, sleeper = waits()
    for what, wait in pairs(all) do
        local task, closed = waiting(wait)
        local joiner = mc.spawn(function() return task:join() end)
        suspended(joiner)
        t.eq(task:cancel(), true)
        was_cancelled(task)
        t.match(closed.err, "cancelled")
        t.eq(closed.went_on, nil, what)
        t.eq(select(2, joiner:join()), "cancelled")
        t.eq(task:cancel(), true)
    end
    t.eq(semaphore:try(), false)
    t.eq(select(2, channel:send(1, 0)), "timeout") -- nobody waits there any more
    t.eq(select(2, full:receive(0)), "timeout")
    sleeper:cancel()
    was_cancelled(sleeper)
end)

t.test("not started: never runs", function()
    for _, how in ipairs {"cancel", "abandon"} do
        local ran = false
        local task = mc.spawn(function() ran = true end)
        task[how](task)
        local result, why = task:join()
        t.eq(why, "cancelled")
        mc.sleep(0.001)
        t.eq(ran, false)
    end
end)

t.test("it gets through pcall, loops of it, and coroutines", function()
    local semaphore = mc.semaphore(0)
    for _, body in ipairs {
        function() while true do pcall(mc.sleep, 3600) end end,
        function() while true do pcall(semaphore.acquire, semaphore) end end,
        function() while true do pcall(pcall, mc.sleep, 3600) end end,
        coroutine.wrap(function() while true do pcall(mc.sleep, 3600) end end),
        function()
            local co = coroutine.wrap(function() while true do coroutine.yield(pcall(mc.sleep, 3600)) end end)
            while true do co() end
        end,
        function() while true do coroutine.resume(coroutine.create(function() mc.sleep(3600) end)) end end,
    } do
        local task = mc.spawn(body)
        suspended(task)
        t.eq(task:cancel(), true)
        was_cancelled(task)
    end
end)

t.test("what is closed on the way may compute, but not wait", function()
    local sum, waited = 0, nil
    local task = mc.spawn(function()
        local guard <close> = setmetatable({}, {__close = function()
            for i = 1, 1000 do sum = sum + i end
            waited = pcall(mc.sleep, 0)
        end})
        mc.sleep(3600)
    end)
    suspended(task)
    task:cancel()
    was_cancelled(task)
    t.eq(sum, 500500)
    t.eq(waited, false)
end)

t.test("an error of its own is not lost", function()
    local task = mc.spawn(function() mc.self():interrupt("mine") mc.self():cancel() error("mine", 0) end)
    local ok, err = pcall(task.join, task)
    if ok then t.eq(err, nil) else t.match(err, "^mine") end -- whichever came first
end)

t.test("in a section: only if that can be ended", function()
    local gate, inside = native.gate(), native.gate()
    local went_on = false
    local task = mc.spawn(function() gate:pass_through(inside) went_on = true end)
    inside:pass()
    local ok, why = task:cancel()
    t.eq(ok, false)
    t.eq(why, "in a section that cannot be ended")
    gate:open()
    task:join()
    t.eq(went_on, true)

    task = mc.spawn(function() gate:pass_or_unblock() mc.yield() went_on = "cancelled" end)
    t.eventually(function() return task:status() == "section" end)
    t.eq(task:cancel(), true)
    was_cancelled(task)
    t.eq(went_on, true)
end)

t.test("the tasks of a map end with its caller", function()
    local ended, begun = 0, 0
    local function sleep()
        local guard <close> = setmetatable({}, {__close = function() ended = ended + 1 end})
        begun = begun + 1
        mc.sleep(3600)
    end
    local task = mc.spawn(mc.map, sleep, {1, 2, 3}, 3)
    t.eventually(function() return begun == 3 end)
    task:cancel()
    was_cancelled(task)
    t.eventually(function() return ended == 3 end)
    t.raises("map: 'map 1' was cancelled", mc.map, function() mc.self():cancel() mc.sleep(1) end, {1})
end)

t.test("a task in a to-be-closed variable ends with its block", function()
    local inner
    local task = mc.spawn(function()
        local child <close> = mc.spawn(mc.sleep, 3600)
        inner = child
        mc.sleep(3600)
    end)
    suspended(task)
    task:cancel()
    was_cancelled(task)
    was_cancelled(inner)
    do
        local child <close> = mc.spawn(mc.sleep, 3600)
        child:cancel()
    end -- its join raises nothing
end)

t.test("abandon drops whatever waits; nothing of it runs", function()
    local all, channel, full, semaphore, sleeper = waits()
    all.map = nil -- its tasks would go on
    for what, wait in pairs(all) do
        local task, closed = waiting(wait)
        local joiner = mc.spawn(function() return task:join() end)
        suspended(joiner)
        task:abandon()
        t.eq(select(2, task:join()), "cancelled")
        t.eq(select(2, joiner:join()), "cancelled")
        t.eq(task:interrupt(), false)
        task:abandon()
        mc.sleep(0.001)
        t.eq(closed.err, nil, what)
        t.eq(closed.went_on, nil, what)
    end
    collectgarbage()
    semaphore:release()
    t.eq(semaphore:try(), true) -- it went to nobody
    t.eq(select(2, channel:send(1, 0)), "timeout")
    t.eq(select(2, full:receive(0)), "timeout")
    sleeper:abandon()
end)

t.test("abandoned in a section: what it uses stays until the section ends", function()
    local inside, went_on = native.gate(), false
    local state = setmetatable({gate = native.gate()}, {__mode = "v"})
    local gate = state.gate
    local task = mc.spawn(function(g) g:pass_through(inside) went_on = true end, gate)
    inside:pass()
    task:abandon()
    t.eq(select(2, task:join()), "cancelled")
    local open = gate.open
    gate, task = nil, nil
    collectgarbage() -- the gate's finaliser would abort
    collectgarbage()
    open(state.gate)
    t.eventually(function() return mc.stats().tasks_alive == 1 end)
    t.eventually(function() collectgarbage() return state.gate == nil end)
    t.eq(went_on, false)
end)

t.test("abandoned amid a callback: told, and dropped with its native function", function()
    local told, after = nil, false
    local task = mc.spawn(function()
        native.call_back(function() told = select(2, pcall(mc.sleep, 3600)) end)
        after = true
    end)
    suspended(task)
    task:abandon()
    t.eventually(function() return mc.stats().tasks_alive == 1 end)
    t.match(told, "cancelled")
    t.eq(after, false)
end)

t.test("who may not be abandoned, and oneself", function()
    t.raises("abandon: 'main' is bound to its thread; cancel it", mc.self().abandon, mc.self())
    local went_on = false
    local task = mc.spawn(function() mc.self():abandon() went_on = true end)
    t.eq(select(2, task:join()), "cancelled")
    t.eventually(function() return mc.stats().tasks_alive == 1 end)
    t.eq(went_on, false)
end)

t.done()
