// Macros of common headers that a program may include before hcl, as these define them
// (a few of each kind; what the standard library itself does not survive is left out).
// Included after the standard headers and xsimd.
#pragma once

// windows.h and what it includes
#define near
#define far
#define small char
#define hyper __int64
#define interface struct
#define min(a, b) (((a) < (b)) ? (a) : (b))
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define IN
#define OUT
#define OPTIONAL
#define CONST const
#define VOID void
#define NEAR
#define FAR
#define pascal __stdcall
#define cdecl __cdecl
#define STRICT 1
#define DELETE (0x00010000L)
#define ERROR 0
#define NO_ERROR 0
#define IGNORE 0
#define INFINITE 0xFFFFFFFF
#define ABSOLUTE 1
#define RELATIVE 2
#define OPAQUE 2
#define TRANSPARENT 1
#define DIFFERENCE 11
#define Yield()
#define GetObject GetObjectA
#define GetMessage GetMessageA
#define SendMessage SendMessageA
#define DOMAIN 1
#define OVERFLOW 3
#define UNDERFLOW 4

// Qt
#define slots
#define signals public
#define emit
#define foreach(variable, container) for (variable : container)
#define forever for (;;)

// Xlib.h, X.h
#define Bool int
#define Status int
#define None 0L
#define Success 0
#define True 1
#define False 0
#define Always 2
#define Above 0
#define Below 1
#define Unsorted 0
#define Complex 0
#define Convex 2
#define Expose 12
#define FocusIn 9
#define ControlMask (1 << 2)

// complex.h, sys/sysmacros.h, termios.h, newlib's ctype.h, AssertMacros.h of macOS
#define I _Complex_I
#define complex _Complex
#define imaginary _Imaginary
#define major(device) gnu_dev_major(device)
#define minor(device) gnu_dev_minor(device)
#define makedev(a, b) gnu_dev_makedev(a, b)
#define B0 0000000
#define B50 0000001
#define ECHO 0000010
#define _U 01
#define _L 02
#define _N 04
#define _S 010
#define _P 020
#define _C 040
#define _X 0100
#define _B 0200
#define check(assertion) static_assert(false)
#define verify(assertion) static_assert(false)
#define require(assertion, label) static_assert(false)

// What compilers and Objective-C define, and what programs like to
#undef unix
#undef linux
#define unix 1
#define linux 1
#define nil 0
#define Nil 0
#define YES 1
#define NO 0
#define Yes 1
#define No 0
#define SELF self_
#define TRUE 1
#define FALSE 0
#define DEBUG 1
#define PI 3.14159265358979323846
#define EPS 1e-6
#define EPSILON 1e-6
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ABS(a) ((a) < 0 ? -(a) : (a))
#define SQR(a) ((a) * (a))
#define SIGN(a) ((a) < 0 ? -1 : 1)
#define SWAP(a, b) swap_them(a, b)
#define CLAMP(a, low, high) MIN(MAX(a, low), high)
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ASSERT(x) ((void)(x))
#define LOG(level) log_stream(level)
