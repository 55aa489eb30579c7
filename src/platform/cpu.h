/* cpu.h - which instruction sets this processor, operating system and build allow together. */
#ifndef ATTEND_SRC_PLATFORM_CPU_H
#define ATTEND_SRC_PLATFORM_CPU_H

#include "attend/attend.h"

/* True if the processor has the ISA's instructions, the operating system saves its registers, and
 * kernels of it are in this build. */
bool cpu_usable(AttendIsa isa);

/* Asks the operating system for what it gives a process only on request, which for AMX is the state
 * of its tiles; true if the usable ISA can now run in every thread of the process. Asking again is
 * cheap. */
bool cpu_enable(AttendIsa isa);

/* The ISA that AUTO takes for a precision: of those that are usable and can be enabled, the one that
 * ranks highest in isas.def. Enables it. SCALAR is always usable. */
AttendIsa cpu_best(AttendPrecision precision);

/* The processor's brand string, "" if unknown. */
void cpu_brand(char *text, size_t size);

/* Size of a data cache (level 1, 2, 3) in bytes, 0 if unknown. */
size_t cpu_cache_bytes(int level);

#endif
