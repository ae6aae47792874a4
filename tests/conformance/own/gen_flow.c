/* SPDX-License-Identifier: Apache-2.0 */
/* Flow within a function: branch tables, ret and exit under divergence, and random graphs of blocks, most of them irreducible,
 * whose lanes go where their data sends them. */
#include "own.h"

#define OUT32(r) "cvt.u64.u32 %o0, " r ";"
#define W(slot) ((uint32_t)IN(slot))

/* ---- Random graphs: every block changes x, then goes on to one of up to four others, until the fuel is used ---- */

enum { BLOCKS_MAX = 16, FUEL = 48 };

enum ending { END_BRA, END_IF, END_TABLE, END_CALL, END_LEAVE, END_RETURN, ENDINGS };

struct block {
    uint32_t factor, add, bit;
    enum ending ending;
    unsigned next[4];
};

static uint32_t hash(uint32_t x)
{
    return (x ^ x >> 13) * 0x5bd1e995;
}

static uint32_t walk(const struct block *b, uint32_t x)
{
    unsigned at = 0;

    for (int fuel = FUEL; fuel; fuel--) {
        const struct block *k = &b[at];

        x = (x * k->factor + k->add) ^ x >> 9;
        switch (k->ending) {
        case END_BRA: at = k->next[0]; break;
        case END_IF: at = k->next[x >> k->bit & 1]; break;
        case END_TABLE: at = k->next[x >> k->bit & 3]; break;
        case END_CALL: x = hash(x); at = k->next[0]; break;
        default:
            if ((x >> k->bit & 15) == 5)
                return x + (k->ending == END_LEAVE);
            at = k->next[0];
        }
    }
    return x;
}

static char *block_text(const struct block *k, unsigned at)
{
    char *head = own_text("B%u: setp.eq.u32 %%p0, %%r1, 0; @%%p0 bra END; sub.u32 %%r1, %%r1, 1; shr.u32 %%r2, %%r0, 9;"
                          "mad.lo.u32 %%r0, %%r0, %u, %u; xor.b32 %%r0, %%r0, %%r2; shr.u32 %%r3, %%r0, %u;\n",
                          at, k->factor, k->add, k->bit);

    switch (k->ending) {
    case END_BRA:
        return own_text("%sbra B%u;\n", head, k->next[0]);
    case END_IF:
        return own_text("%sand.b32 %%r3, %%r3, 1; setp.ne.u32 %%p1, %%r3, 0; @%%p1 bra B%u; bra B%u;\n", head, k->next[1],
            k->next[0]);
    case END_TABLE:
        return own_text("%sand.b32 %%r3, %%r3, 3; table%u: .branchtargets B%u, B%u, B%u, B%u;\nbrx.idx %%r3, table%u;\n", head, at,
                        k->next[0], k->next[1], k->next[2], k->next[3], at);
    case END_CALL:
        return own_text("%s{ .param .b32 ca, cr; st.param.b32 [ca], %%r0; call (cr), flow_hash, (ca); ld.param.b32 %%r0, [cr];"
                        "} bra B%u;\n",
                        head, k->next[0]);
    default:
        return own_text("%sand.b32 %%r3, %%r3, 15; setp.ne.u32 %%p1, %%r3, 5; @%%p1 bra B%u; %s\n", head, k->next[0],
                        k->ending == END_RETURN ? "bra END;"
                                                : "add.u32 %r0, %r0, 1; cvt.u64.u32 %o0, %r0; st.global.u64 [%po], %o0; exit;");
    }
}

static void random_graph(int number)
{
    struct block b[BLOCKS_MAX];
    unsigned n = 3 + (unsigned)(own_random() % (BLOCKS_MAX - 2));
    char *text = own_text("mov.u32 %%r0, %%w0; mov.u32 %%r1, %d;\n", FUEL);

    for (unsigned k = 0; k < n; k++) {
        b[k] = (struct block){.factor = (uint32_t)own_random() | 1, .add = (uint32_t)own_random(), .bit = own_random() % 28,
                              .ending = number < 16 ? END_IF : own_random() % (number < 32 ? END_CALL : ENDINGS)};
        for (int i = 0; i < 4; i++)
            b[k].next[i] = (unsigned)(own_random() % n);
        text = own_text("%s%s", text, block_text(&b[k], k));
    }
    ENTRY(.name = own_text("graph_%02d", number), .body = own_text("%sEND:%s", text, OUT32("%r0")), .block = number % 3 ? 64 : 128)
        OUT(0) = walk(b, W(0));
}

/* ---- Branch tables ---- */

static void tables(void)
{
    static const int sizes[] = {1, 2, 3, 8, 17, 64};

    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int n = sizes[s];
        char *list = own_text("C0"), *cases = own_text("C0: mov.u32 %%r1, 1000; bra E;\n");

        for (int i = 1; i < n; i++) {
            list = own_text("%s, C%d", list, i);
            cases = own_text("%sC%d: mad.lo.u32 %%r1, %%w0, %d, %d; bra E;\n", cases, i, 2 * i + 1, i);
        }
        ENTRY(.name = own_text("table_%d", n),
              .body = own_text("rem.u32 %%r0, %%w1, %d; list: .branchtargets %s;\nbrx.idx %%r0, list;\n%sE: %s", n, list,
                  cases, OUT32("%r1"))) {
            uint32_t k = W(1) % (uint32_t)n;

            OUT(0) = k ? W(0) * (2 * k + 1) + k : 1000;
        }
    }
    ENTRY(.name = "table_repeated_targets",
          .body = "and.b32 %r0, %w1, 7; list: .branchtargets A, B, A, A, B, C, C, A;\nbrx.idx %r0, list;\n"
                  "A: add.u32 %r1, %w0, 1; bra E; B: add.u32 %r1, %w0, 2; bra E; C: add.u32 %r1, %w0, 3; E:" OUT32("%r1")) {
        static const int target[] = {1, 2, 1, 1, 2, 3, 3, 1};

        OUT(0) = (uint32_t)(W(0) + (uint32_t)target[W(1) & 7]);
    }
    ENTRY(.name = "table_uniform",
          .body = "and.b32 %r0, %ci, 3; list: .branchtargets A, B, C, D;\nbrx.idx.uni %r0, list;\n"
                  "A: add.u32 %r1, %w0, 1; bra E; B: sub.u32 %r1, %w0, 2; bra E; C: not.b32 %r1, %w0; bra E; D: mov.u32 %r1, 4;"
                  "E:" OUT32("%r1"))
        OUT(0) = (own.cta & 3) == 0 ? W(0) + 1 : (own.cta & 3) == 1 ? W(0) - 2 : (own.cta & 3) == 2 ? ~W(0) : 4;
    ENTRY(.name = "table_falls_through",
          .body = "mov.u32 %r1, %w0; and.b32 %r0, %w1, 3; list: .branchtargets A, B, C, D;\nbrx.idx %r0, list;\n"
                  "A: add.u32 %r1, %r1, 3; B: mul.lo.u32 %r1, %r1, 5; C: xor.b32 %r1, %r1, 0x55;"
                  "D: add.u32 %r1, %r1, 1;" OUT32("%r1")) {
        uint32_t x = W(0), k = W(1) & 3;

        x = k < 1 ? x + 3 : x;
        x = k < 2 ? x * 5 : x;
        x = k < 3 ? x ^ 0x55 : x;
        OUT(0) = x + 1;
    }
    ENTRY(.name = "table_guarded",
          .body = "mov.u32 %r1, 7; and.b32 %r0, %w1, 1; setp.lt.s32 %p0, %w2, 0; list: .branchtargets A, B;\n"
                  "@%p0 brx.idx %r0, list;\nbra E;"
                  "A: add.u32 %r1, %w0, 1; bra E; B: add.u32 %r1, %w0, 2; E:" OUT32("%r1"))
        OUT(0) = (int32_t)W(2) < 0 ? (uint32_t)(W(0) + 1 + (W(1) & 1)) : 7;
    ENTRY(.name = "table_machine", /* a machine of eight operations, each lane with its own program */
          .body = "mov.u32 %r1, %w0; mov.u64 %d0, %a1; mov.u32 %r3, 16; list: .branchtargets A, B, C, D, E, F, G, H;\n"
                  "L: setp.eq.u32 %p0, %r3, 0; @%p0 bra Z; sub.u32 %r3, %r3, 1; cvt.u32.u64 %r0, %d0; and.b32 %r0, %r0, 7;"
                  "shr.u64 %d0, %d0, 4;"
                  "brx.idx %r0, list;\n"
                  "A: add.u32 %r1, %r1, %r3; bra L; B: mul.lo.u32 %r1, %r1, 9; bra L; C: shr.u32 %r1, %r1, 1; bra L;"
                  "D: not.b32 %r1, %r1; bra L;"
                  "E: and.b32 %r4, %r1, 1; setp.eq.u32 %p1, %r4, 0; @%p1 bra L; sub.u32 %r1, %r1, 5; bra L;"
                  "F: xor.b32 %r1, %r1, %w2; bra L;"
                  "G: shl.b32 %r1, %r1, 3; H: add.u32 %r1, %r1, 11; bra L; Z:" OUT32("%r1")) {
        uint32_t x = W(0);
        uint64_t program = IN(1);

        for (uint32_t k = 16; k--; program >>= 4)
            switch (program & 7) {
            case 0: x += k; break;
            case 1: x *= 9; break;
            case 2: x >>= 1; break;
            case 3: x = ~x; break;
            case 4: x -= x & 1 ? 5 : 0; break;
            case 5: x ^= W(2); break;
            case 6: x <<= 3; /* fall through */
            default: x += 11;
            }
        OUT(0) = x;
    }
}

/* ---- ret and exit ---- */

static void leaving(void)
{
    static const char *const how[] = {"ret", "exit"};

    for (int h = 0; h < 2; h++) {
        ENTRY(.name = own_text("%s_guarded", how[h]),
              .body = own_text("st.global.u64 [%%po], %%a1; setp.lt.s32 %%p0, %%w0, 0; @%%p0 %s; not.b64 %%o0, %%a1;", how[h]))
            OUT(0) = (int32_t)W(0) < 0 ? IN(1) : ~IN(1);
        ENTRY(.name = own_text("%s_in_loop", how[h]),
              .body = own_text("mov.u32 %%r0, %%w0; mov.u32 %%r1, 0; L: and.b32 %%r2, %%r0, 7; setp.ne.u32 %%p0, %%r2, 3;"
                               "@%%p0 bra N;"
                               "cvt.u64.u32 %%o0, %%r1; st.global.u64 [%%po], %%o0; %s; N: shr.u32 %%r0, %%r0, 1;"
                               "add.u32 %%r1, %%r1, 1;"
                               "setp.lt.u32 %%p1, %%r1, 32; @%%p1 bra L; mov.u64 %%o0, 99;", how[h])) {
            uint32_t x = W(0), k = 0;

            for (; k < 32 && (x & 7) != 3; k++)
                x >>= 1;
            OUT(0) = k < 32 ? k : 99;
        }
        ENTRY(.name = own_text("%s_before_barrier", how[h]), .block = 128, /* two warps leave whole, lanes of a third */
              .body = own_text(".shared .align 4 .b8 sm[512]; mov.u32 %%r0, sm; mad.lo.u32 %%r0, %%ti, 4, %%r0;"
                               "st.shared.u32 [%%r0], %%w0;"
                               "st.global.u64 [%%po], %%a1; bar.sync 0; setp.lt.u32 %%p0, %%ti, 80; @%%p0 %s;"
                               "st.shared.u32 [%%r0], %%w1;"
                               "bar.sync 0; xor.b32 %%r1, %%ti, 1; mov.u32 %%r0, sm; mad.lo.u32 %%r0, %%r1, 4, %%r0;"
                               "ld.shared.u32 %%r2, [%%r0];"
                               "cvt.u64.u32 %%o0, %%r2;", how[h]))
            OUT(0) = own.tid < 80 ? IN(1) : (uint32_t)IN_OF(own.i ^ 1, 1);
        ENTRY(.name = own_text("%s_then_collective", how[h]),
              .body = own_text("st.global.u64 [%%po], %%a0; and.b32 %%r0, %%lane, 3; setp.eq.u32 %%p0, %%r0, 1; @%%p0 %s;"
                               "shfl.sync.bfly.b32 %%r1, %%w0, 4, 0x1f, 0xdddddddd; vote.sync.ballot.b32 %%r2, %%p0, 0xdddddddd;"
                               "redux.sync.add.u32 %%r3, %%lane, 0xdddddddd; add.u32 %%r1, %%r1, %%r2; add.u32 %%r1, %%r1, %%r3;"
                               "%s", how[h], OUT32("%r1")))
            OUT(0) = (own.lane & 3) == 1 ? IN(0) : (uint32_t)((uint32_t)IN_OF(own.i ^ 4,
                0) + (496 - (1 + 5 + 9 + 13 + 17 + 21 + 25 + 29)));
    }
    ENTRY(.name = "exit_all_but_one",
          .body = "st.global.u64 [%po], %a0; setp.ne.u32 %p0, %lane, 19; @%p0 exit; activemask.b32 %r0;"
                  "vote.sync.ballot.b32 %r1, 1, 0x80000;"
                  "mov.b64 %o0, {%r0, %r1};")
        OUT(0) = own.lane == 19 ? 0x0008000000080000 : IN(0);
}

static void shapes(void)
{
    ENTRY(.name = "two_entries_into_a_loop",
          .body = "mov.u32 %r0, %w0; and.b32 %r1, %w1, 15; add.u32 %r1, %r1, 1; setp.lt.s32 %p0, %w2, 0; @%p0 bra B;"
                  "A: mul.lo.u32 %r0, %r0, 3; B: add.u32 %r0, %r0, 7; sub.u32 %r1, %r1, 1; setp.ne.u32 %p1, %r1, 0;"
                  "@%p1 bra A;" OUT32("%r0")) {
        uint32_t x = W(0);
        bool skip = (int32_t)W(2) < 0;

        for (uint32_t k = (W(1) & 15) + 1; k; k--, skip = false)
            x = (skip ? x : x * 3) + 7;
        OUT(0) = x;
    }
    ENTRY(.name = "jump_out_of_nested_loops",
          .body = "mov.u32 %r0, %w0; mov.u32 %r1, 6; O: mov.u32 %r2, 6; I: mad.lo.u32 %r0, %r0, 5, %r2; and.b32 %r3, %r0, 31;"
                  "setp.eq.u32 %p0, %r3, 9;"
                  "@%p0 bra OUTSIDE; sub.u32 %r2, %r2, 1; setp.ne.u32 %p1, %r2, 0; @%p1 bra I; and.b32 %r3, %r0, 3;"
                  "setp.eq.u32 %p2, %r3, 1; @%p2 bra I2;"
                  "sub.u32 %r1, %r1, 1; setp.ne.u32 %p1, %r1, 0; @%p1 bra O; bra OUTSIDE; I2: sub.u32 %r1, %r1, 1;"
                  "setp.eq.u32 %p1, %r1, 0;"
                  "@%p1 bra OUTSIDE; mov.u32 %r2, 2; bra I; OUTSIDE:" OUT32("%r0")) {
        uint32_t x = W(0), inner;

        for (uint32_t outer = 6, from = 6; outer; outer--, from = (x & 3) == 1 ? 2 : 6) {
            for (inner = from; inner; inner--) {
                x = x * 5 + inner;
                if ((x & 31) == 9)
                    break;
            }
            if (inner)
                break;
        }
        OUT(0) = x;
    }
    ENTRY(.name = "activemask_in_branches",
          .body = "and.b32 %r0, %lane, 5; setp.eq.u32 %p0, %r0, 4; @%p0 bra A; activemask.b32 %r1; bra E; A: activemask.b32 %r1;"
                  "E:" OUT32("%r1")) {
        uint32_t x = 0;

        for (unsigned l = 0; l < 32; l++)
            x |= (uint32_t)(((l & 5) == 4) == ((own.lane & 5) == 4)) << l;
        OUT(0) = x;
    }
    ENTRY(.name = "warp_mates_signal", /* a lane waits for what a mate writes in the other branch */
          .body = ".shared .align 4 .b8 flag[256]; mov.u32 %r0, flag; shr.u32 %r1, %ti, 1; mad.lo.u32 %r0, %r1, 4, %r0;"
                  "and.b32 %r2, %ti, 1;"
                  "setp.eq.u32 %p0, %r2, 1; mov.u32 %r3, 0; @!%p0 st.shared.u32 [%r0], %r3; bar.sync 0; @%p0 bra W;"
                  "P: ld.volatile.shared.u32 %r3, [%r0]; setp.eq.u32 %p1, %r3, 0; @%p1 bra P; bra E;"
                  "W: or.b32 %r3, %w0, 1; st.volatile.shared.u32 [%r0], %r3; E:" OUT32("%r3"))
        OUT(0) = (uint32_t)IN_OF(own.i | 1, 0) | 1;
}

void gen_flow(void)
{
    own_family("flow",
               ".func (.param .b32 y) flow_hash(.param .b32 x)\n{ .reg .b32 %r<3>; ld.param.b32 %r0, [x]; shr.u32 %r1, %r0, 13;"
               "xor.b32 %r0, %r0, %r1; mul.lo.u32 %r0, %r0, 0x5bd1e995; st.param.b32 [y], %r0; ret; }\n");
    tables();
    leaving();
    shapes();
    for (int i = 0; i < 48; i++)
        random_graph(i);
}
