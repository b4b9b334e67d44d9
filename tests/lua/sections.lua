-- Sections wherever a native function may be called from. SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

-- Two sections that can only end together, the second opened by `other` in a task of its own.
local function together(body)
    local barrier = native.barrier(2)
    local task = mc.spawn(function() body(function() barrier:wait() end) end)
    barrier:wait()
    task:join()
end

t.test("sections run at once", function()
    local n = 8
    local barrier = native.barrier(n)
    local tasks = {}
    for i = 1, n do tasks[i] = mc.spawn(function() barrier:wait() return i end) end
    for i = 1, n do t.eq(tasks[i]:join(), i) end
end)

t.test("the main chunk's section lets tasks run", function()
    local gate, ran = native.gate(), false
    local task = mc.spawn(function() ran = true gate:open() end)
    gate:pass()
    t.eq(ran, true)
    task:join()
end)

t.test("below pcall", function()
    together(function(wait)
        local ok, err = pcall(function() wait() error("after") end)
        t.eq(ok, false)
        t.match(err, "after")
    end)
end)

t.test("in metamethods", function()
    local events = {"__index", "__newindex", "__add", "__eq", "__lt", "__call", "__concat"}
    if t.has "metamethods of 5.2" then events[#events + 1] = "__len" end
    if t.has "to-be-closed variables" then events[#events + 1] = "__close" end
    for _, event in ipairs(events) do
        together(function(wait)
            local m = {}
            m[event] = function() wait() return 1 end
            local a, b = setmetatable({}, m), setmetatable({}, m)
            if event == "__index" then t.eq(a.x, 1)
            elseif event == "__newindex" then a.x = 1
            elseif event == "__add" then t.eq(a + b, 1)
            elseif event == "__eq" then t.eq(a == b, true)
            elseif event == "__lt" then t.eq(a < b, true)
            elseif event == "__len" then t.eq(#a, 1)
            elseif event == "__call" then t.eq(a(), 1)
            elseif event == "__concat" then t.eq(a .. b, 1)
            else t.code "local c <close> = ..."(a) end
        end)
    end
end)

t.test("in iterators", function()
    together(function(wait)
        local n = 0
        for i in function(_, i) if i == 2 then wait() end return i < 3 and i + 1 or nil end, nil, 0 do n = n + i end
        t.eq(n, 6)
    end)
end)

t.test("in require", function()
    package.preload["releasing"] = function() local wait = WAIT wait() return {value = 42} end
    together(function(wait)
        WAIT = wait
        t.eq(require("releasing").value, 42)
    end)
end)

t.test("in sort comparators and gsub callbacks", function()
    together(function(wait)
        local first, list = true, {}
        for i = 1, 50 do list[i] = (i * 37) % 51 end
        table.sort(list, function(a, b)
            if first then first = false wait() end
            native.section()
            return a < b
        end)
        for i = 2, #list do t.eq(list[i - 1] <= list[i], true) end
    end)
    together(function(wait)
        local first = true
        t.eq(("abc"):gsub(".", function(c) if first then first = false wait() end native.section() return c:upper() end), "ABC")
    end)
end)

t.test("in coroutines inside tasks", function()
    together(function(wait)
        local co = coroutine.wrap(function(a)
            wait()
            local b = coroutine.yield(a + 1)
            mc.yield()
            mc.sleep(0.001)
            native.section()
            return b + 1
        end)
        t.eq(co(1), 2)
        t.eq(co(5), 6)
    end)
end)

t.test("in C functions that call Lua", function()
    together(function(wait)
        t.eq(native.call(function(x) wait() native.call(mc.yield) return x end, 7), 7)
    end)
end)

t.test("callbacks from inside a section", function()
    together(function(wait)
        local r = native.call_back(function(x)
            wait()
            mc.sleep(0.001)
            mc.yield()
            return native.call_back(function() native.section() return x * 2 end)
        end, 21)
        t.eq(r, 42)
        t.raises("from the callback", native.call_back, function() error("from the callback") end)
    end)
end)

t.test("errors around sections", function()
    local tasks = {}
    for i = 1, 20 do
        tasks[i] = mc.spawn(function()
            local failures = 0
            for j = 1, 200 do
                if not pcall(function() native.section(j % 7 == 0 and 20 or 0) if j % 3 == 0 then error(j) end mc.yield() end) then
                    failures = failures + 1
                end
            end
            return failures
        end)
    end
    for i = 1, 20 do t.eq(tasks[i]:join(), 66) end
end)

t.test("sections, coroutines and garbage, all mixed", function()
    pcall(collectgarbage, "generational")
    local tasks = {}
    for i = 1, 16 do
        tasks[i] = mc.spawn(function()
            local sum = 0
            for j = 1, 300 do
                local co = coroutine.wrap(function(x)
                    native.section()
                    local y = coroutine.yield({x})
                    native.section(5)
                    return {y, t.finaliser(function() sum = sum end)}
                end)
                sum = sum + co(j)[1] + co(1)[1]
                if j % 50 == 0 then collectgarbage("step") end
            end
            return sum
        end)
    end
    for i = 1, 16 do t.eq(tasks[i]:join(), 300 * 301 / 2 + 300) end
    pcall(collectgarbage, "incremental")
end)

t.done()
