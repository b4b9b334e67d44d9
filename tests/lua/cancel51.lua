-- cancel, abandon and deadlines in every Lua: what cancel.lua and deadline.lua show with to-be-closed variables.
-- SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

local function waits()
    local channel, semaphore, sleeper = mc.channel(), mc.semaphore(0), mc.spawn(mc.sleep, 3600)
    local bodies = {
        sleep = function() mc.sleep(3600) end,
        receive = function() channel:receive() end,
        acquire = function() semaphore:acquire() end,
        join = function() sleeper:join() end,
        wait = function() mc.wait(native.pipe(), "r") end,
        coroutine = coroutine.wrap(function() mc.sleep(3600) end),
        pcalls = function() while true do pcall(mc.sleep, 3600) end end,
        ["pcalls of a loop that was compiled"] = function()
            local n = 0
            while true do
                n = n + 1
                pcall(mc.sleep, n < 1000 and 0 or 3600)
            end
        end,
        ["loops of pcalls in loops"] = function()
            local function stubborn(depth)
                while true do pcall(depth > 0 and stubborn or mc.sleep, depth > 0 and depth - 1 or 3600) end
            end
            stubborn(3)
        end,
    }
    bodies["pcalls in coroutines"] = function()
        while true do pcall(coroutine.wrap(bodies.pcalls)) end
    end
    return sleeper, bodies
end

for _, how in ipairs {"cancel", "abandon"} do
    t.test(how .. " ends whatever waits, and what has not started", function()
        local sleeper, bodies = waits()
        for what, body in pairs(bodies) do
            local went_on = false
            local task = mc.spawn(function() body() went_on = true end)
            t.eventually(function() return task:status() == "suspended" end)
            task[how](task)
            t.eq(select(2, task:join()), "cancelled", what)
            t.eq(went_on, false, what)
        end
        local task = mc.spawn(error)
        task[how](task)
        t.eq(select(2, task:join()), "cancelled")
        sleeper:cancel()
        t.eq(select(2, sleeper:join()), "cancelled")
    end)
end

t.test("a debug hook of the script's is there as before", function()
    local function hook() end
    debug.sethook(hook, "", 1000000)
    local task = mc.spawn(function() while true do pcall(mc.sleep, 3600) end end)
    t.eventually(function() return task:status() == "suspended" end)
    task:cancel()
    t.eq(select(2, task:join()), "cancelled")
    t.eq(debug.gethook(), hook)
    debug.sethook()
end)

t.test("others go on beside one that will not hear, and are not told", function()
    local others = {}
    for i = 1, 5 do
        others[i] = mc.spawn(function()
            local sum = 0 -- not shared: a slice may end between two instructions
            for _ = 1, 50 do
                for n = 1, 1000 do sum = sum + n % 2 end
                native.section()
                mc.yield()
            end
            return sum
        end)
    end
    local caught = 0
    local task = mc.spawn(function()
        while true do
            if not pcall(mc.sleep, 3600) then caught = caught + 1 end
            pcall(native.section)
        end
    end)
    t.eventually(function() return task:status() == "suspended" end)
    task:cancel()
    t.eq(select(2, task:join()), "cancelled")
    for i = 1, 5 do t.eq(others[i]:join(), 50 * 500) end
    t.eq(caught > 0, true)
end)

t.test("in a section: only if that can be ended; abandoned it never runs on", function()
    local gate, inside = native.gate(), native.gate()
    local went_on = false
    local task = mc.spawn(function() gate:pass_through(inside) went_on = true end)
    inside:pass()
    t.eq(select(2, task:cancel()), "in a section that cannot be ended")
    task:abandon()
    t.eq(select(2, task:join()), "cancelled")
    gate:open()
    t.eventually(function() return mc.stats().tasks_alive == 1 end)
    t.eq(went_on, false)
end)

t.test("a deadline, passed or not, nested, in the main task and in another", function()
    local sleeper, bodies = waits()
    for what, body in pairs(bodies) do
        if what ~= "coroutine" then
            t.eq(select(2, mc.with_deadline(0.003, body)), "deadline", what)
            t.eq(select(2, mc.spawn(mc.with_deadline, 0.003, body):join()), "deadline", what)
        end
    end
    t.eq(mc.with_deadline(3600, function(a) return a end, "value"), "value")
    t.raises("mine", mc.with_deadline, 3600, error, "mine")
    t.eq(select(2, mc.with_deadline(0.003, mc.with_deadline, 3600, mc.sleep, 3600)), "deadline")
    sleeper:cancel()
end)

t.test_with("preemption", "what computes is ended as well", function()
    for _, body in ipairs {function() while true do end end, function() while true do pcall(error) end end} do
        local started = false
        local task = mc.spawn(function() started = true body() end)
        while not started do mc.yield() end
        t.eq(task:cancel(), true)
        t.eq(select(2, task:join()), "cancelled")
        t.eq(select(2, mc.with_deadline(0.003, body)), "deadline")
    end
end)

t.done()
