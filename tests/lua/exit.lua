-- Ends of a script: os.exit anywhere, errors, tasks alive, sections in flight. Each in its own process.
-- SPDX-License-Identifier: BSL-1.0
local t = require "check"

local finaliser = [[
local function finaliser(f)
    if not newproxy then return setmetatable({}, {__gc = f}) end
    local object = newproxy(true)
    getmetatable(object).__gc = f
    return object
end
]]

local prelude = finaliser .. [[
local mc, native = require "multicore", require "native"
local function in_section(n) -- n tasks in sections that last
    local inside = native.gate()
    for i = 1, n do mc.spawn(function() local g = native.gate() KEEP = g g:pass_through(inside) end) end
    for i = 1, n do inside:pass() end
end
local function start(n, f) -- n tasks that have begun
    local begun = {}
    for i = 1, n do mc.spawn(function() begun[i] = true f() end) end
    for i = 1, n do while not begun[i] do mc.sleep(0.001) end end
end
local function asleep(n) start(n, function() mc.sleep(3600) end) end
local function computing(n) start(n, function() while true do end end) end
local function polling(n)
    local inside = native.gate()
    for i = 1, n do mc.spawn(function() native.poll_cancelled(inside) end) end
    for i = 1, n do inside:pass() end
end
local function in_section_later(n) -- they open their sections while the main task sleeps
    local tasks = {}
    for i = 1, n do tasks[i] = mc.spawn(function() local g = native.gate() g:pass() end) end
    for i = 1, n do while tasks[i]:status() ~= "section" do mc.sleep(0.001) end end
end
local function stubborn(n)
    start(n, function() while true do pcall(function() while true do pcall(mc.sleep, 1) end end) end end)
    if jit then return end
    start(n, function() while true do pcall(function() while true do pcall(function() while true do end end) end end) end end)
end
local function ended(task) while task:status() ~= "ended" do mc.sleep(0.001) end end
io.stdout:setvbuf "no"
]]

local situations = {
    {"nothing", ""},
    {"sleepers", "asleep(5)"},
    {"sections", "in_section(3)"},
    {"sections opened meanwhile", "in_section_later(3)"},
    {"computing tasks", "computing(2)", "preemption"},
    {"polling sections", "polling(2)"},
    {"tasks that catch everything", "stubborn(2)"},
    {"all of it", "asleep(3) in_section(2) polling(2) if not jit then computing(2) end stubborn(1)"},
}

local ends = {
    {"the end of the chunk", "print 'last'", 0},
    {"an error", "error('the main error')", 1, "the main error"},
    {"os.exit(3)", "os.exit(3)", 3},
    {"os.exit(true)", "os.exit(true)", 0},
    {"os.exit(false, true)", "os.exit(false, true)", 1},
    {"os.exit(7, true)", "os.exit(7, true)", 7},
    {"os.exit in a coroutine", "coroutine.wrap(function() os.exit(8, true) end)()", 8},
    {"os.exit in a task", "mc.spawn(function() os.exit(5) end) mc.sleep(60)", 5},
    {"os.exit in a task, closing", "mc.spawn(function() os.exit(6, true) end) mc.sleep(60)", 6},
    {"os.exit in a task, closing, the main task computing", "mc.spawn(function() os.exit(9, true) end) while true do if jit then native.busy(10) end end", 9},
    {"os.exit in a task, closing, the main task in a section", "mc.spawn(function() os.exit(10, true) end) native.gate():pass()", 10},
    {"os.exit in a task, the main task in a section", "mc.spawn(function() os.exit(11) end) native.gate():pass()", 11},
    {"os.exit in a coroutine in a task", "mc.spawn(function() coroutine.wrap(function() os.exit(12, true) end)() end):join()", 12},
    {"the error of a joined task", "mc.spawn(function() error('from a task') end):join()", 1, "from a task"},
}

for _, s in ipairs(situations) do
    for _, e in ipairs(ends) do
        t.test_with(s[3] or "multicore", e[1] .. ", with " .. s[1], function()
            local output, how, code = t.program(prelude .. s[2] .. "\nprint 'before'\n" .. e[2])
            t.match(output, "before")
            if e[4] then t.match(output, e[4]) end
            t.eq(how .. " " .. code, "exit " .. e[3], output)
            if not e[4] then t.eq(output:find("error") == nil, true, output) end
        end)
    end
end

t.test("finalisers and clean-ups run", function()
    local output, how, code = t.program(prelude .. [[
        KEPT = finaliser(function() print "finalised" end)
        start(1, function() pcall(mc.sleep, 3600) print "cleaned up" end)
    ]])
    t.eq(how .. code, "exit0", output)
    t.match(output, "finalised")
    t.match(output, "cleaned up")
end)

t.test_with("to-be-closed variables", "closers run", function()
    local output, how, code = t.program(prelude .. [[
        start(1, function()
            local c <close> = setmetatable({}, {__close = function() print "closed" end})
            mc.sleep(3600)
        end)
    ]])
    t.eq(how .. code, "exit0", output)
    t.match(output, "closed")
end)

t.test_with("os.exit(code, true)", "os.exit in a task closes the state, if it is to", function()
    for _, close in ipairs {"true", "false"} do
        local output, how, code = t.program(prelude .. [[
            KEPT = finaliser(function() print "finalised" end)
            mc.spawn(function() os.exit(7, ]] .. close .. [[) print "came back" end)
            mc.sleep(60)
        ]])
        t.eq(how .. code, "exit7", output)
        t.eq(output:find("finalised") ~= nil, close == "true")
        t.eq(output:find("came back"), nil)
    end
end)

t.test("an error that nobody joined is told at the end, with its traceback", function()
    local output, how, code = t.program(prelude .. [[
        KEPT = mc.spawn {name = "forgotten", function() error("nobody knows") end}
        ended(KEPT)
    ]])
    t.eq(how .. code, "exit0", output)
    t.match(output, "error in task 'forgotten', which nobody joined: .*nobody knows")
    t.match(output, "stack traceback")
end)

t.test("an error in the handler itself is told, and so is the first", function()
    local output = t.program(prelude .. [[
        mc.on_error(function() error("in the handler") end)
        ended(mc.spawn {name = "x", function() error("the first") end})
    ]])
    t.match(output, "in the handler")
    t.match(output, "the first")
end)

t.test("errors that cannot be shown as text are told, and the main task goes on", function()
    for _, handler in ipairs {"", "mc.on_error(function() error(bad) end)"} do
        local output, how, code = t.program(prelude .. [[
            bad = setmetatable({}, {__tostring = function() error(bad) end})
            ]] .. handler .. [[
            mc.spawn {name = "dropped", function() mc.yield() error(bad) end}
            collectgarbage()
            collectgarbage()
            mc.sleep(0.001)
            KEPT = mc.spawn {name = "kept", function() error(bad) end}
            ended(KEPT)
            KEPT = nil
            collectgarbage()
            print "went on"
        ]])
        t.eq(how .. code, "exit0", output)
        for _, name in ipairs {"dropped", "kept"} do
            t.match(output, "error in telling the error of task '" .. name .. "': %(a table value%)\n" ..
                "multicore: error in task '" .. name .. "': %(a table value%)\n")
        end
        t.match(output, "went on\n$")
    end
end)

t.test("a userdata that a section uses is not finalised under it", function()
    -- The gate is younger than everything; it notices.
    local output, how, code = t.program(prelude .. [[
        local inside = native.gate()
        mc.spawn(function()
            local text = ("x"):rep(2 ^ 20)
            local g = native.gate()
            g:pass_through(inside)
        end)
        inside:pass()
        error("out")
    ]])
    t.eq(how .. code, "exit1", output)
end)

t.test("require in a finaliser, multicore after the close", function()
    local output, how, code = t.program(finaliser .. [[
        KEPT = finaliser(function()
            local mc = require "multicore"
            print(pcall(mc.sleep, 1))
            print(pcall(mc.spawn, print))
            print(pcall(function() return tostring(mc.self()) end))
        end)
        local mc = require "multicore"
        T = mc.spawn(print, "ran")
        T:join()
    ]])
    t.eq(how .. code, "exit0", output)
    t.match(output, "ran")
    t.match(output, "false\t.*this Lua state's multicore has been closed")
end)

t.test("finalisers that are older than the module", function()
    local output, how, code = t.program(finaliser .. [[
        KEPT = finaliser(function()
            print(debug.gethook())
            print(pcall(debug.sethook, print, "l"))
            print(coroutine.wrap(function() return "resumed" end)())
            print(pcall(require "multicore".now))
            package.loaded.multicore = nil
            print(pcall(require, "multicore"))
            os.exit(3)
        end)
        local mc = require "multicore"
        debug.sethook(function() end, "l")
    ]])
    t.eq(how .. code, "exit3", output)
    if t.has "preemption" then t.match(output, "^nil\n") end -- the hook was ours to take away
    t.match(output, "\ntrue\nresumed\ntrue\t[%d.]+\nfalse\t.*at the end of the state")
end)

t.test_with("knowledge of finalisers", "the end of the state is no time to start", function()
    local output, how, code = t.program(finaliser .. [[
        KEPT = finaliser(function() print(pcall(require, "multicore")) end)
    ]])
    t.eq(how .. code, "exit0", output)
    t.match(output, "at the end of the state")
end)

t.done()
