-- Ctrl-C: each case in a process of its own that is sent SIGINT. SPDX-License-Identifier: BSL-1.0
local t, native = require "check", require "native"

local prelude = [[
local mc, native = require "multicore", require "native"
io.stdout:setvbuf "no"
local function ready() print("ready " .. native.getpid()) end
local function computing(n)
    local begun = {}
    for i = 1, n do mc.spawn(function() begun[i] = true while true do end end) end
    for i = 1, n do while not begun[i] do mc.sleep(0.001) end end
end
local function polling(n)
    local inside = native.gate()
    for i = 1, n do mc.spawn(function() native.poll_cancelled(inside) end) end
    for i = 1, n do inside:pass() end
end
]]

-- A signal that comes just before a call that blocks does not end it.
local function wait_until_blocked(pid)
    repeat
        local file = assert(io.open("/proc/" .. pid .. "/stat"))
        local state = file:read("*a"):match "%) (%a)"
        file:close()
    until state == "S"
end

local function interrupted(program, signals, before, after, blocks)
    return t.program((before or prelude) .. program .. (after or ""), function(pipe)
        local head, pid = "", nil
        repeat
            local line = pipe:read "*l"
            if not line then return head end
            head = head .. line .. "\n"
            pid = line:match "^ready (%d+)$"
        until pid
        if blocks then wait_until_blocked(pid) end
        for i = 1, signals or 1 do
            native.kill(tonumber(pid), "INT")
            if i == 1 and signals then pipe:read "*l" end
        end
        return head
    end)
end

-- The name of a case, its program, what it needs, and whether the main task blocks outside sections.
local cases = {
    {"the main task sleeps", "ready() mc.sleep(3600)"},
    {"the main task waits for a task", "local x = mc.spawn(mc.sleep, 3600) ready() x:join()"},
    {"the main task waits for a channel", "ready() mc.channel():receive()"},
    {"the main task waits for a file", "local r = native.pipe() ready() mc.wait(r)"},
    {"the main task computes", "ready() while true do end", "preemption"},
    {"the main task computes beside others", "computing(2) ready() while true do end", "preemption"},
    {"the main task computes in a coroutine", "ready() coroutine.wrap(function() while true do end end)()", "preemption"},
    {"the main task waits, others compute", "computing(3) ready() mc.sleep(3600)", "preemption"},
    {"others are in sections that poll", "polling(3) ready() mc.sleep(3600)"},
    {"others are in sections that poll, and compute", "polling(2) computing(2) ready() mc.sleep(3600)", "preemption"},
    {"the main task is in a section that polls", "mc.spawn(function() ready() end) native.poll_cancelled()"},
    {"the main task alone, in a section that polls", "ready() native.poll_cancelled()"},
    {"the main task maps", "mc.map(function(i) if i == 3 then ready() end mc.sleep(3600) end, {1, 2, 3})"},
    {"the main task yields for ever", "ready() while true do mc.yield() end"},
    {"the main task reads standard input", "local f = io.open('/proc/self/fd/' .. native.pipe()) ready() f:read(1) os.exit(2)", "preemption", true},
}

for _, c in ipairs(cases) do
    t.test_with(c[3] or "multicore", c[1], function()
        local output, how, code = interrupted(c[2], nil, nil, nil, c[4])
        t.eq(how .. " " .. code, "exit 1", output)
        t.match(output, "interrupted!")
        t.match(output, "stack traceback")
    end)
end

t.test_with("the main state's name", "the coroutine that loads the module computes", function()
    local output, how, code = interrupted("ready() while true do end", nil, "coroutine.wrap(function() " .. prelude, " end)()")
    t.eq(how .. " " .. code, "exit 1", output)
    t.match(output, "interrupted!")
end)

t.test("the script may catch it and clean up", function()
    local output, how, code = interrupted([[
        mc.spawn(ready)
        local ok, err = pcall(mc.sleep, 3600)
        print(ok, err)
        mc.sleep(0.001)
        os.exit(4, true)
    ]])
    t.match(output, "false%s+.*interrupted!")
    t.eq(how .. code, "exit4", output)
end)

t.test("a second one kills", function()
    local output, how, code = interrupted([[
        mc.spawn(ready)
        pcall(mc.sleep, 3600)
        print "caught"
        native.gate():pass()
    ]], 2)
    t.eq(how .. " " .. code, "signal 2", output)
end)

t.test("a section that does not listen: the second one kills", function()
    local output, how, code = interrupted([[
        local gate = native.gate()
        mc.spawn(function() mc.sleep(0.2) print "still here" end)
        ready()
        gate:pass()
    ]], 2)
    t.eq(how .. " " .. code, "signal 2", output)
end)

t.test("it waits behind an interrupt of another kind", function()
    local output, how, code = interrupted([[
        local main = mc.self()
        mc.spawn(function() ready() native.poll_cancelled() end)
        local ok, err = pcall(mc.sleep, 3600)
        print(err)
    ]])
    t.match(output, "interrupted!")
    t.eq(how .. code, "exit0", output)
end)

t.done()
