/* Prints the values and struct layouts that compiled programs depend on.
 * SPDX-License-Identifier: BSL-1.0 */
#include <multicore/multicore.h>
#include <stddef.h>
#include <stdio.h>

#if MC_VERSION_MAJOR != PROJECT_MAJOR || MC_VERSION_MINOR != PROJECT_MINOR || \
    MC_VERSION_PATCH != PROJECT_PATCH
#error "multicore.h and the project disagree about the version"
#endif

#define STRUCT(type) printf("%s: %zu bytes\n", #type, sizeof(type))
#define FIELD(type, field) \
    printf("    %3zu %3zu %s\n", offsetof(type, field), sizeof(((type *)0)->field), #field)
#define VALUE(name) printf("%s = %lld\n", #name, (long long)(name))
#define STATUS(name, value, text) VALUE(name);

static void extension_structs(void) {
    STRUCT(struct mc_site);
    FIELD(struct mc_site, file);
    FIELD(struct mc_site, func);
    FIELD(struct mc_site, line);
    FIELD(struct mc_site, flags);
    FIELD(struct mc_site, reserved);

    STRUCT(mc_section_options);
    FIELD(mc_section_options, size);
    FIELD(mc_section_options, flags);
    FIELD(mc_section_options, unblock);
    FIELD(mc_section_options, unblock_arg);
    FIELD(mc_section_options, deadline);
    FIELD(mc_section_options, handle);

    STRUCT(struct mc_api_1);
    FIELD(struct mc_api_1, size);
    FIELD(struct mc_api_1, abi);
    FIELD(struct mc_api_1, release);
    FIELD(struct mc_api_1, acquire);
    FIELD(struct mc_api_1, enter);
    FIELD(struct mc_api_1, leave);
    FIELD(struct mc_api_1, release_with);
    FIELD(struct mc_api_1, acquire_status);
    FIELD(struct mc_api_1, cancelled);
    FIELD(struct mc_api_1, support);
}

static void host_structs(void) {
    STRUCT(mc_host);
    FIELD(mc_host, size);
    FIELD(mc_host, way);
    FIELD(mc_host, flags);
    FIELD(mc_host, self);
    FIELD(mc_host, taken);
    FIELD(mc_host, switched);
    FIELD(mc_host, may_lend);
    FIELD(mc_host, attention);
    FIELD(mc_host, orphan);
    FIELD(mc_host, current);
    FIELD(mc_host, ready);
    FIELD(mc_host, run);
    FIELD(mc_host, wake);

    STRUCT(mc_misuse);
    FIELD(mc_misuse, size);
    FIELD(mc_misuse, status);
    FIELD(mc_misuse, message);
    FIELD(mc_misuse, file);
    FIELD(mc_misuse, func);
    FIELD(mc_misuse, line);
    FIELD(mc_misuse, task);

    STRUCT(mc_runtime_options);
    FIELD(mc_runtime_options, size);
    FIELD(mc_runtime_options, flags);
    FIELD(mc_runtime_options, max_threads);
    FIELD(mc_runtime_options, keep_idle_threads);
    FIELD(mc_runtime_options, idle_timeout);
    FIELD(mc_runtime_options, section_slice);
    FIELD(mc_runtime_options, slice);
    FIELD(mc_runtime_options, stack_size);
    FIELD(mc_runtime_options, job_queue_limit);
    FIELD(mc_runtime_options, name);
    FIELD(mc_runtime_options, host);
    FIELD(mc_runtime_options, misuse);
    FIELD(mc_runtime_options, thread_start);
    FIELD(mc_runtime_options, thread_stop);
    FIELD(mc_runtime_options, arg);

    STRUCT(mc_stats);
    FIELD(mc_stats, size);
    FIELD(mc_stats, reserved);
    FIELD(mc_stats, tasks_alive);
    FIELD(mc_stats, tasks_spawned);
    FIELD(mc_stats, sections);
    FIELD(mc_stats, sections_inline);
    FIELD(mc_stats, handoffs);
    FIELD(mc_stats, wakes);
    FIELD(mc_stats, threads);
    FIELD(mc_stats, threads_peak);
    FIELD(mc_stats, longest_wait);
}

static void task_structs(void) {
    STRUCT(mc_task_options);
    FIELD(mc_task_options, size);
    FIELD(mc_task_options, flags);
    FIELD(mc_task_options, stack_size);
    FIELD(mc_task_options, name);
    FIELD(mc_task_options, data);
    FIELD(mc_task_options, destroy);

    STRUCT(mc_job_options);
    FIELD(mc_job_options, size);
    FIELD(mc_job_options, work_class);
    FIELD(mc_job_options, unblock);
    FIELD(mc_job_options, unblock_arg);
    FIELD(mc_job_options, deadline);
}

static void values(void) {
    MC_STATUS_TABLE(STATUS)
    VALUE(MC_NONE);
    VALUE(MC_SECTION_MIGRATABLE);
    VALUE(MC_SUPPORT_MIGRATABLE);
    VALUE(MC_WAY_LEND);
    VALUE(MC_WAY_SHIP);
    VALUE(MC_WAY_JOB);
    VALUE(MC_HOST_OWN_SCHEDULER);
    VALUE(MC_RUNTIME_CPU_TIME);
    VALUE(MC_TASK_NEW);
    VALUE(MC_TASK_READY);
    VALUE(MC_TASK_RUNNING);
    VALUE(MC_TASK_SECTION);
    VALUE(MC_TASK_DUE);
    VALUE(MC_TASK_SUSPENDED);
    VALUE(MC_TASK_ENDED);
    VALUE(MC_CANCEL_SAFE);
    VALUE(MC_CANCEL_ABANDON);
    VALUE(MC_SCOPE_ENABLE);
    VALUE(MC_SCOPE_DISABLE);
    VALUE(MC_SCOPE_ATOMIC);
    VALUE(MC_READABLE);
    VALUE(MC_WRITABLE);
    VALUE(MC_WORK_CPU);
    VALUE(MC_WORK_IO);
}

int main(void) {
    extension_structs();
    host_structs();
    task_structs();
    values();
    return 0;
}
