-- LuaJIT: C code that is called through the FFI may open sections, but they keep the interpreter: compiled
-- code is in the middle of the call. SPDX-License-Identifier: BSL-1.0
local mc, t, native, ffi = require "multicore", require "check", require "native", require "ffi"

ffi.cdef [[
    int native_section(int us);
    void mc_release(void);
    void mc_acquire(void);
    void qsort(void *base, size_t n, size_t size, int (*compare)(const int *, const int *));
]]
local library = package.cpath:match "([^;]*native[^;]*)%?%.so" .. "native.so"
local C = ffi.load(library)
local lib = ffi.load "libmulticore.so.1"
local MANY = native.sanitized and 2000 or 20000

mc.on_error(function(err, traceback) print(err, traceback) os.exit(1) end)

-- Tasks that run whenever they may, and make garbage, traces and errors of their own; counts their rounds.
local function beside(f)
    local pests, over, rounds = {}, false, 0
    for i = 1, 4 do
        pests[i] = mc.spawn(function()
            while not over do
                rounds = rounds + 1
                local list = {}
                for j = 1, 100 do list[j] = {j} end
                pcall(native.fail)
                for j = 1, 100 do t.eq(list[j][1], j) end
                native.section(5)
            end
        end)
    end
    mc.yield()
    local ok, err = pcall(f, function() return rounds end)
    over = true
    for i = 1, 4 do pests[i]:join() end
    if not ok then error(err, 0) end
end

-- Whether others run during a section that f opens.
local function lets_others_in(f)
    local ran = false
    local task = mc.spawn(function() ran = true end)
    f()
    local r = ran
    task:join()
    return r
end

t.test("a C function's section lets others in, also where the FFI is used", function()
    t.eq(lets_others_in(function() native.section(20000) end), true)
    t.eq(lets_others_in(function() C.native_section(1) native.section(20000) end), true)
    t.eq(lets_others_in(function() coroutine.wrap(function() native.section(20000) end)() end), true)
end)

local function interpreted(us) return C.native_section(us) end
jit.off(interpreted)
local function by_name(us) lib.mc_release() native.busy(us) lib.mc_acquire() end

t.test("a section through the FFI keeps the interpreter", function()
    t.eq(lets_others_in(function() interpreted(5000) end), false)
    t.eq(lets_others_in(function() by_name(5000) end), false)
    t.eq(lets_others_in(function() for i = 1, 200 do C.native_section(i < 200 and 0 or 5000) end end), false)
    t.eq(lets_others_in(function() coroutine.wrap(function() interpreted(5000) end)() end), false)
end)

t.test("below a C function that calls Lua, too, and after one that failed", function()
    t.eq(lets_others_in(function() native.call(interpreted, 5000) end), false)
    local function compiled(us) return C.native_section(us) end
    for _ = 1, 200 do compiled(0) end
    t.eq(lets_others_in(function() native.call(compiled, 5000) end), false)
    t.eq(native.call_back(lets_others_in, function() interpreted(5000) end), false)
    t.eq(lets_others_in(function() table.sort({2, 1}, function() interpreted(5000) end) end), false)
    t.eq(lets_others_in(function() pcall(native.call, error, "x") interpreted(5000) end), false)
    for _, fails in ipairs {native.fail, coroutine.wrap(function() native.call(native.fail) end)} do
        t.eq(pcall(fails), false)
        t.eq(lets_others_in(function() interpreted(5000) end), false)
    end
    t.eq(lets_others_in(function()
        local gc = ffi.gc(ffi.new "int[1]", function() interpreted(5000) end)
        gc = nil
        collectgarbage()
        collectgarbage()
    end), false)
end)

t.test("compiled, over and over, beside tasks that want in", function()
    beside(function(rounds)
        local before, sum = rounds(), 0
        for i = 1, MANY do sum = sum + C.native_section(i % 64 == 0 and 20 or 0) end
        t.eq(sum, 20 * math.floor(MANY / 64))
        t.eq(rounds(), before)
    end)
end)

t.test("by its name, compiled", function()
    beside(function()
        local list = {}
        for i = 1, MANY do
            lib.mc_release()
            local box = {i} -- what FFI users get wrong: Lua within the section
            lib.mc_acquire()
            list[i % 100 + 1] = box
        end
        for i = 1, 100 do t.eq(list[i][1] % 100 + 1, i) end
    end)
end)

t.test("in several tasks at once, mixed with sections of C functions", function()
    beside(function(rounds)
        local before, tasks = rounds(), {}
        for i = 1, 4 do
            tasks[i] = mc.spawn(function()
                local sum = 0
                for j = 1, MANY / 10 do
                    sum = sum + C.native_section(j % 50 == 0 and 10 or 0)
                    if j % 40 == 0 then native.section(5) end
                    if j % 55 == 0 then pcall(native.fail) end
                    if j % 70 == 0 then mc.yield() end
                end
                return sum
            end)
        end
        for i = 1, 4 do t.eq(tasks[i]:join(), 10 * math.floor(MANY / 10 / 50)) end
        t.eq(rounds() > before, true)
    end)
end)

t.test("an error out of C after others ran, then compiled code that allocates", function()
    beside(function()
        for _ = 1, MANY / 100 do
            t.eq(pcall(native.fail, 10), false)
            local list = {}
            for i = 1, 200 do list[i] = {i} end
            for i = 1, 200 do if list[i][1] ~= i then error "lost" end end
        end
    end)
end)

t.test("a callback may suspend, and open sections of C functions", function()
    beside(function()
        for round = 1, 10 do
            local n = 40
            local array = ffi.new("int[?]", n)
            for i = 0, n - 1 do array[i] = (i * 37 + round) % 41 end
            local compare = ffi.cast("int (*)(const int *, const int *)", function(a, b)
                mc.yield()
                native.section(1)
                return a[0] - b[0]
            end)
            ffi.C.qsort(array, n, ffi.sizeof "int", compare)
            compare:free()
            for i = 1, n - 1 do t.eq(array[i - 1] <= array[i], true) end
        end
    end)
end)

t.test("it is told, once, with the remedy", function()
    if native.thread_sanitized then return print "        (that sanitizer cannot run programs)" end
    local program = ([[
        local mc, native, ffi = require "multicore", require "native", require "ffi"
        ffi.cdef "int native_section(int us);"
        local C = ffi.load "LIBRARY"
        for i = 1, 3 do
            local ran = false
            local task = mc.spawn {name = "other", function() ran = true end}
            C.native_section(20000)
            assert(not ran)
            task:join()
        end
        print "done"
    ]]):gsub("LIBRARY", library)
    local output, how, code = t.program(program)
    t.eq(how .. code, "exit0", output)
    t.match(output, "^multicore: a section of C code that Lua did not call as a C function .*" ..
        "call it from a lua_CFunction %(said once%) %(task 'main'%)\ndone\n$")
end)

t.done()
