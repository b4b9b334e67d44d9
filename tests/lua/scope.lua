-- enable and scopes. SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

-- Whether a section that opens now lets another task run.
local function lends()
    local ran, over = false, native.gate()
    local task = mc.spawn(function() ran = true over:open() end)
    local before = mc.stats().sections_inline
    native.section(2000)
    local inline = mc.stats().sections_inline - before
    task:join()
    return inline == 0
end

t.test("enable", function()
    t.eq(mc.enable(), true)
    t.eq(mc.enable(false), true)
    t.eq(lends(), false)
    t.eq(mc.enable(true), false)
    t.eq(lends(), true)
    t.raises("boolean expected", mc.enable, 1)
end)

t.test("scopes nest", function()
    local off = mc.scope "disable"
    t.eq(lends(), false)
    local on = mc.scope "enable"
    t.eq(lends(), true)
    on:close()
    t.eq(lends(), false)
    off:close()
    t.eq(lends(), true)
end)

t.test_with("to-be-closed variables", "scopes close with their block", function()
    t.code [[
        local lends = ...
        do
            local off <close> = mc.scope "disable"
            t.eq(lends(), false)
        end
        t.eq(lends(), true)
        pcall(function()
            local off <close> = mc.scope "disable"
            error("out")
        end)
        t.eq(lends(), true)
    ]](lends)
end)

t.test("without a block", function()
    local off = mc.scope "disable"
    t.match(tostring(off), "open")
    t.eq(lends(), false)
    off:close()
    off:close()
    t.match(tostring(off), "closed")
    t.eq(lends(), true)
end)

t.test("an outer scope closes those inside it", function()
    local outer = mc.scope "disable"
    local inner = mc.scope "enable"
    outer:close()
    t.eq(lends(), true)
    inner:close()
    t.eq(lends(), true)
end)

t.test("atomic: nothing may suspend, nobody comes in", function()
    local others = false
    local task = mc.spawn(function() others = true end)
    do
        local atomic = mc.scope "atomic"
        t.raises("atomic scope", mc.sleep, 0.001)
        t.raises("atomic scope", mc.yield)
        t.raises("atomic scope", task.join, task)
        native.section(2000)
        for _ = 1, 1000000 do end
        t.eq(others, false)
        atomic:close()
    end
    task:join()
    t.eq(others, true)
end)

t.test("a scope belongs to its task, and ends with it", function()
    local scope = mc.spawn(function() return mc.scope "disable" end):join()
    t.eq(lends(), true)
    t.raises("belongs to another task", scope.close, scope)
    local mine = mc.scope "disable"
    t.eq(mc.spawn(function() return select(2, pcall(mine.close, mine)) end):join():find("another task") ~= nil, true)
    mine:close()
end)

t.test_with("to-be-closed variables", "an interrupt never comes between mc.scope and the variable", function()
    local bodies = t.code [[
        local function get() return mc.scope "disable" end
        return {
            function() while true do local s <close> = mc.scope "disable" end end,
            function()
                while true do
                    local a <close> = mc.scope "disable"
                    local b <close> =
                        mc.scope
                        "disable"
                end
            end,
            function() while true do local s <close> = get() end end
        }
    ]]()
    for round = 1, 180 do
        local hooks, started = round % 2 == 0 and "crl", false
        local task = mc.spawn(function()
            if hooks then debug.sethook(function() end, hooks) end
            pcall(function() started = true bodies[round % 3 + 1]() end)
            debug.sethook()
            local before = mc.stats().sections_inline
            native.section()
            return mc.stats().sections_inline - before
        end)
        while not started do mc.yield() end
        task:interrupt()
        t.eq(task:join(), 0, "round " .. round)
    end
end)

t.test("wrong arguments", function()
    t.raises("invalid option", mc.scope, "x")
    t.raises("string expected", mc.scope)
end)

t.done()
