-- A computing task lets others in. Without preemption each of these hangs. SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

-- Computes as `body` says until a task that became ready later has run.
local function gives_way(body)
    local done = false
    local stop = function() return done end
    local computing = mc.spawn(function() body(stop) end)
    local other = mc.spawn(function() done = true end)
    computing:join()
    other:join()
end

t.test("a loop", function() gives_way(function(stop) while not stop() do end end) end)

t.test("a loop without calls", function()
    local box = {}
    local computing = mc.spawn(function() while not box.done do end end)
    mc.spawn(function() box.done = true end)
    computing:join()
end)

t.test("in a coroutine, and a coroutine of that", function()
    gives_way(function(stop)
        coroutine.wrap(function() coroutine.wrap(function() while not stop() do end end)() end)()
    end)
end)

t.test("between coroutines that only yield", function()
    gives_way(function(stop)
        local co = coroutine.wrap(function() while true do coroutine.yield(stop()) end end)
        while not co() do end
    end)
    gives_way(function(stop)
        while not select(2, coroutine.resume(coroutine.create(stop))) do end
    end)
end)

t.test("in comparators, metamethods and C callbacks", function()
    gives_way(function(stop) pcall(table.sort, {3, 2, 1}, function() while not stop() do end return false end) end)
    gives_way(function(stop)
        local m = setmetatable({}, {__index = function() while not stop() do end end})
        return m.x
    end)
    gives_way(function(stop) native.call(function() while not stop() do end end) end)
    gives_way(function(stop) native.call_back(function() while not stop() do end end) end)
    gives_way(function(stop) load(function() while not stop() do end end) end)
end)

local function closing(f) return setmetatable({}, {__close = f}) end

t.test_with("to-be-closed variables", "in what a coroutine closes at its end", function()
    gives_way(function(stop)
        local co = coroutine.create(function()
            t.code "local c <close> = ... coroutine.yield()"(closing(function() while not stop() do end end))
        end)
        coroutine.resume(co)
        t.eq(coroutine.close(co), true)
    end)
    gives_way(function(stop)
        t.raises("x", coroutine.wrap(function()
            t.code "local c <close> = ... error 'x'"(closing(function() while not stop() do end end))
        end))
    end)
end)

t.test("the main task", function()
    local done = false
    mc.spawn(function() done = true end)
    while not done do end
end)

t.test("a section comes back beside a loop", function()
    local gate, inside, through = native.gate(), native.gate(), false
    mc.spawn(function() gate:pass_through(inside) through = true end)
    inside:pass()
    gate:open()
    while not through do end
end)

t.test("a sleeper wakes beside a loop", function()
    local woke = false
    mc.spawn(function() mc.sleep(0.001) woke = true end)
    mc.yield()
    while not woke do end
end)

t.test_with("knowledge of finalisers", "a finaliser that computes is waited for, and then way is given", function()
    local done, finalised = false, false
    mc.spawn(function() done = true end)
    t.finaliser(function()
        for _ = 1, 300000 do end
        coroutine.wrap(function() for _ = 1, 300000 do end end)()
        finalised = not done
    end)
    collectgarbage()
    while not done do end
    t.eq(finalised, true)
end)

t.test("two loops and a sum: nothing is lost in the switching", function()
    local function sum(n) local s = 0 for i = 1, n do s = s + i end return s end
    local tasks = {}
    for i = 1, 4 do tasks[i] = mc.spawn(sum, 2000000) end
    for i = 1, 4 do t.eq(tasks[i]:join(), 2000001000000) end
end)

t.test("no hook stays behind", function()
    local hook = mc.spawn(function()
        local done = false
        mc.spawn(function() done = true end)
        while not done do end
        return (debug.gethook())
    end):join()
    t.eq(hook, nil)
    t.eq(debug.gethook(), nil)
end)

t.test_with("the main state's name", "the coroutine that loads the module", function()
    local program = [[
        local function body()
            local mc, native = require "multicore", require "native"
            local done, lines = false, 0
            debug.sethook(function() lines = lines + 1 end, "l")
            mc.spawn(function() done = true end)
            while not done do
            end
            done = false
            mc.spawn(function() mc.sleep(0.001) done = true end)
            native.section(3000)
            while not done do
            end
            assert(debug.gethook() and lines > 2)
            debug.sethook()
            coroutine.yield()
            done = false
            mc.spawn(function() done = true end)
            while not done do end
            print "gave way"
        end
        RESUME
        local mc, done = require "multicore", false
        mc.spawn(function() done = true end)
        while not done do end
        print "so did main"
    ]]
    for _, resume in ipairs {
        "local co = coroutine.wrap(body) co() co()",
        "local co, create = coroutine.create(body), coroutine.resume create(co) coroutine.resume(co)"
    } do
        local output, how, code = t.program((program:gsub("RESUME", resume)))
        t.eq(how .. code, "exit0", output)
        t.match(output, "gave way\nso did main")
    end
end)

t.done()
