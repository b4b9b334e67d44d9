-- The test programs' harness: named tests, each of which must pass; a line each, then the count.
-- SPDX-License-Identifier: BSL-1.0
local check = {}
local passed, failed = 0, 0

function check.test(name, f)
    local ok, err = xpcall(f, function(e) return debug.traceback(tostring(e), 2) end)
    if ok then
        passed = passed + 1
        print("ok      " .. name)
    else
        failed = failed + 1
        print("FAILED  " .. name .. "\n" .. err)
    end
    io.stdout:flush()
end

local function show(v) return type(v) == "string" and string.format("%q", v) or tostring(v) end

function check.eq(got, wanted, what)
    if got ~= wanted and not (got ~= got and wanted ~= wanted) then
        error((what and what .. ": " or "") .. "got " .. show(got) .. ", wanted " .. show(wanted), 2)
    end
end

function check.match(got, pattern)
    if type(got) ~= "string" or not got:find(pattern) then
        error("got " .. show(got) .. ", wanted something like " .. show(pattern), 2)
    end
end

-- f(...) must raise an error like the pattern; returns it.
function check.raises(pattern, f, ...)
    local ok, err = pcall(f, ...)
    if ok then error("raised nothing, wanted " .. show(pattern), 2) end
    if pattern and not tostring(err):find(pattern) then
        error("raised " .. show(err) .. ", wanted " .. show(pattern), 2)
    end
    return err
end

-- Waits until the condition holds: for states that only a look can tell. Others run meanwhile.
function check.eventually(condition, what)
    local mc = require "multicore"
    while not condition() do mc.sleep(0.001) end
end

-- Runs a Lua program in a process of its own. Returns what it printed (both streams), how it ended
-- ("exit" or "signal") and the number.
function check.program(text, interact)
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    local command = ("exec timeout -s KILL 60 %s %s 2>&1"):format(check.lua, path)
    local pipe = assert(io.popen(command))
    local head = interact and interact(pipe) or ""
    local output = pipe:read "a"
    local _, how, code = pipe:close()
    os.remove(path)
    -- timeout(1) dies of the signal that killed its child, or answers 128 and more
    if how == "exit" and code > 128 then how, code = "signal", code - 128 end
    return head .. output, how, code
end

check.lua = arg and arg[-1] or "lua5.4"

function check.done()
    print(("%d passed, %d failed"):format(passed, failed))
    os.exit(failed == 0 and passed > 0, true)
end

return check
