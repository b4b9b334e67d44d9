-- Waiting for pipes, sockets and files. SPDX-License-Identifier: BSL-1.0
local mc, t, native = require "multicore", require "check", require "native"

t.test("a pipe", function()
    local r, w = native.pipe()
    t.eq(select(2, mc.wait(r, "r", 0)), "timeout")
    t.eq(select(2, mc.wait(r, "r", 0.001)), "timeout")
    t.eq(mc.wait(w, "w"), "w")
    local task = mc.spawn(function() return mc.wait(r, "r"), native.read(r, 10) end)
    t.eventually(function() return task:status() == "suspended" end)
    native.write(w, "hello")
    local what, data = task:join()
    t.eq(what, "r")
    t.eq(data, "hello")
    native.close(w)
    t.eq(mc.wait(r), "r")
    native.close(r)
end)

t.test("a socket, both ways", function()
    local a, b = native.socketpair()
    t.eq(mc.wait(a, "rw"), "w")
    native.write(b, "x")
    t.eq(mc.wait(a, "rw"), "rw")
    local object = {getfd = function() return a end}
    t.eq(mc.wait(object, "r"), "r")
    native.close(a)
    native.close(b)
end)

t.test("Lua files", function()
    local pipe = io.popen("read x; echo got $x", "w")
    t.eq(mc.wait(pipe, "w"), "w")
    pipe:close()
    local regular = io.tmpfile()
    t.eq(mc.wait(regular, "r"), "r")
    regular:close()
    t.raises("the file is closed", mc.wait, regular, "r")
end)

t.test("many at once", function()
    local pipes, tasks = {}, {}
    for i = 1, 100 do
        local r, w = native.pipe()
        pipes[i] = {r, w}
        tasks[i] = mc.spawn(function() mc.wait(r) return native.read(r, 10) end)
    end
    for i = 100, 1, -1 do native.write(pipes[i][2], tostring(i)) end
    for i = 1, 100 do
        t.eq(tasks[i]:join(), tostring(i))
        native.close(pipes[i][1])
        native.close(pipes[i][2])
    end
end)

t.test("an interrupt ends the wait", function()
    local r, w = native.pipe()
    local task = mc.spawn(function() mc.wait(r) end)
    t.eventually(function() return task:status() == "suspended" end)
    task:interrupt("enough")
    t.raises("enough", task.join, task)
    native.close(r)
    native.close(w)
end)

t.test("blocking reads in sections, beside computing tasks", function()
    local r, w = native.pipe()
    local reader = mc.spawn(function() return native.read(r, 10) end)
    local n = 0
    local other = mc.spawn(function() for _ = 1, 100 do n = n + 1 mc.yield() end native.write(w, "done") end)
    t.eq(reader:join(), "done")
    t.eq(n, 100)
    native.close(r)
    native.close(w)
end)

t.test("wrong arguments", function()
    t.raises("file descriptor, file or socket expected, got no value", mc.wait)
    t.raises("not a file descriptor", mc.wait, -1)
    t.raises("invalid option", mc.wait, 0, "x")
    t.raises("not an open file descriptor", mc.wait, 987654)
    t.raises("expected, got table", mc.wait, {})
end)

t.done()
