-- Sections and yields wherever an interpreter has something on its C stack, in many tasks at once, with
-- garbage and errors: nothing may get lost or mixed up. SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

-- SHIPS: set by a program that embeds Lua and runs this beside much else.
local few = native.sanitized or SHIPS ~= nil
local TASKS, ROUNDS = 20, SHIPS and native.thread_sanitized and 5 or few and 20 or 100

-- A switch of one kind or another, now and then after a section long enough to be taken.
local function switch(state)
    state.n = state.n + 1
    local us = state.n % 29 == 0 and 50 or 0
    if state.n % 3 == 0 then mc.yield() elseif state.n % 7 == 0 then native.plain_section(us) else native.section(us) end
end

-- Each gets the task's state and a number, and returns it.
local places = {
    function(s, x) return select(2, pcall(function() switch(s) return x end)) end,
    function(s, x) return select(2, pcall(function() switch(s) error({x}) end))[1] end,
    function(s, x)
        local ok, err = pcall(native.fail)
        t.eq(ok, false)
        t.match(err, "failed after a section")
        local sum = 0
        for i = 1, 100 do sum = sum + #{i} end -- allocates right after an error out of C
        return x + sum - 100
    end,
    function(s, x)
        local list = {}
        for i = 1, 12 do list[i] = (i * 7 + x) % 13 end
        table.sort(list, function(a, b) switch(s) return a < b end)
        for i = 2, 12 do t.eq(list[i - 1] <= list[i], true) end
        return x
    end,
    function(s, x)
        local r = ("abc"):gsub(".", function(c) switch(s) return c .. x end)
        t.eq(r, "a" .. x .. "b" .. x .. "c" .. x)
        return x
    end,
    function(s, x)
        local v = setmetatable({}, {
            __index = function(_, k) switch(s) return k end,
            __add = function(_, b) switch(s) return b end,
            __concat = function(_, b) switch(s) return b end,
            __call = function(_, b) switch(s) return b end,
        })
        return (v[x] + (v + x) + (v .. x) + v(x)) / 4
    end,
    function(s, x)
        local co = coroutine.wrap(function(a)
            switch(s)
            local b = coroutine.yield(a)
            local inner = coroutine.wrap(function(c) switch(s) coroutine.yield(c) switch(s) return c end)
            return (inner(b) + inner()) / 2
        end)
        return (co(x) + co(x)) / 2
    end,
    function(s, x)
        local co = coroutine.create(function() switch(s) native.fail() end)
        local ok, err = coroutine.resume(co)
        t.eq(ok, false)
        t.match(err, "failed")
        return x
    end,
    function(s, x) return native.call(function(y) switch(s) return native.call(function() switch(s) return y end) end, x) end,
    function(s, x) return native.call_back(function(y) switch(s) return y end, x) end,
    function(s, x)
        for i = 1, 5 do t.finaliser(function() native.section() s.finalised = s.finalised + 1 end) end
        if s.n % 5 == 0 then collectgarbage(s.n % 2 == 0 and "collect" or "step") end
        return x
    end,
    function(s, x)
        local sum = 0
        for i = 1, 200 do sum = sum + i % 7 end -- hot soon
        t.eq(sum, 598)
        return #((tostring(x)):rep(100)) / #tostring(x) / 100 * x
    end,
}

t.test(TASKS .. " tasks, " .. ROUNDS .. " rounds", function()
    local before = mc.stats()
    local tasks, states = {}, {}
    for i = 1, TASKS do
        local s = {n = 0, finalised = 0}
        states[i] = s
        tasks[i] = mc.spawn(function()
            for round = 1, ROUNDS do
                for p = 1, #places do
                    local place = (p + i) % #places + 1
                    local x = i * 1000 + round
                    local ok, y = pcall(places[place], s, x)
                    if not ok then error("place " .. place .. ": " .. tostring(y), 0) end
                    t.eq(y, x, "place " .. place)
                end
            end
            return i
        end)
    end
    for i = 1, TASKS do t.eq(tasks[i]:join(), i) end
    collectgarbage()
    collectgarbage()
    local switches, finalised = 0, 0
    for i = 1, TASKS do switches, finalised = switches + states[i].n, finalised + states[i].finalised end
    t.eq(switches > TASKS * ROUNDS * 30, true, "switches: " .. switches)
    t.eq(finalised, TASKS * ROUNDS * 5)
    local after = mc.stats()
    if SHIPS then
        t.eq(after.handoffs, before.handoffs)
        t.eq(after.sections - after.sections_inline > TASKS * ROUNDS * 10, true, "sections that moved")
        t.eq(after.sections_inline > TASKS * ROUNDS, true, "sections that stayed")
    else
        t.eq(after.handoffs > before.handoffs, true, "no section was taken")
    end
    t.eq(mc.stats().tasks_alive, 1)
end)

t.done()
