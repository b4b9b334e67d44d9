// A Duktape heap with a runtime, for as long as a test case.
// SPDX-License-Identifier: BSL-1.0
#ifndef MULTICORE_TESTS_DUKTAPE_HEAP_H
#define MULTICORE_TESTS_DUKTAPE_HEAP_H

#include <gtest/gtest.h>

#include <string>

#include "multicore/duktape.h"
#include "native.h"

struct Heap {
    duk_context* root = duk_create_heap_default();
    duk_context* js = nullptr;

    explicit Heap(std::uint32_t way = MC_WAY_LEND) {
        EXPECT_EQ(mc_duktape_open(root, nullptr, way, &js), MC_OK);
        native_install(js);
    }
    ~Heap() {
        if (js) {
            EXPECT_EQ(mc_duktape_close(js, MC_FOREVER), MC_OK);
        }
        duk_destroy_heap(root);
    }
    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;

    // Runs a script; its value, or its error, as text.
    std::string run(const char* script) { return run_in(js, script); }
    static std::string run_in(duk_context* ctx, const char* script) {
        if (duk_peval_string(ctx, script) != 0) duk_safe_to_stacktrace(ctx, -1);
        std::string result = duk_safe_to_string(ctx, -1);
        duk_pop(ctx);
        return result;
    }
};

#endif
