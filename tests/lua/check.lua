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

-- What not every Lua has. LuaJIT's hooks are one for all coroutines, and compiled code never calls them.
local features = {
    ["to-be-closed variables"] = _VERSION >= "Lua 5.4",
    ["coroutine.close"] = coroutine.close ~= nil,
    ["metamethods of 5.2"] = _VERSION >= "Lua 5.2",
    ["knowledge of finalisers"] = _VERSION >= "Lua 5.4" or jit ~= nil,
    ["the main state's name"] = _VERSION >= "Lua 5.2",
    ["os.exit(code, true)"] = _VERSION >= "Lua 5.2" or jit ~= nil,
    ["preemption"] = jit == nil,
    ["a limit of nested C calls"] = jit == nil,
    ["multicore"] = true,
}

function check.has(feature)
    assert(features[feature] ~= nil, feature)
    return features[feature]
end

-- A test of something that not every Lua has.
function check.test_with(feature, name, f)
    if check.has(feature) then return check.test(name, f) end
    print("skipped " .. name .. ": this Lua has no " .. feature)
end

-- The function of a text that is no Lua for older versions. Its arguments are the module, the harness and
-- the native functions.
function check.code(text)
    local body = "local mc, t, native = require 'multicore', require 'check', require 'native'\n" .. text
    return assert((loadstring or load)(body, "=code"))
end

function check.pack(...) return {n = select("#", ...), ...} end
check.unpack = table.unpack or unpack

-- An object whose finaliser is f.
function check.finaliser(f)
    if not newproxy then return setmetatable({}, {__gc = f}) end
    local object = newproxy(true)
    getmetatable(object).__gc = f
    return object
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
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    local command = ("timeout -s KILL 60 %s %s 2>&1; echo '[status '$?]"):format(check.lua, path)
    local pipe = assert(io.popen(command))
    local head = interact and interact(pipe) or ""
    local output, code = pipe:read("*a"):match "^(.*)%[status (%d+)%]\n$"
    pipe:close()
    os.remove(path)
    code = tonumber(code)
    if code > 128 then return head .. output, "signal", code - 128 end
    return head .. output, "exit", code
end

check.lua = arg and arg[-1] or "lua5.4"

function check.done()
    print(("%d passed, %d failed"):format(passed, failed))
    os.exit(failed == 0 and passed > 0 and 0 or 1, true)
end

return check
