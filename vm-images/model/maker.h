/* SPDX-License-Identifier: Apache-2.0 */
/* Makes a network that says words_sentence after each of words_prompts, and proves that it does.
 *
 * The layers' weights are random. The output matrix is solved for: each prompt with the sentence after
 * it is read with the weights of each file type, which gives a state before every word to be said; ridge
 * regression then finds one output matrix that turns all those states into a high logit for the next
 * word and a zero for all others. The same matrix, rounded to its type, goes into every file. */
#ifndef VGPU_MODEL_MAKER_H
#define VGPU_MODEL_MAKER_H

#include "forward.h"
#include "words.h"

/* Ways of computing: with each file type, from which the output matrix is solved; and one that it has
 * not seen, q8_0 with activations rounded as a GPU backend rounds them. */
enum { WAY_F32, WAY_F16, WAY_Q8_0, FILE_WAYS, WAY_Q8_0_ROUNDED = FILE_WAYS, WAYS };

struct way {
    const char *name;
    const struct quant_type *type;
    struct variant variant;
};

extern const struct way maker_ways[WAYS];

struct maker {
    struct vocabulary vocabulary;
    struct lesson lessons[WORDS_PROMPTS];
    struct net *net;        /* unrounded */
};

/* Over all words to be said, after both prompts. */
struct margins {
    double gap[WAYS];       /* smallest lead of the word over any other */
    double shift[WAYS];     /* largest difference of a logit from the f32 way's */
};

/* The smallest gap that is enough, in units of the largest shift: of q8_0, and of rounded activations. */
enum { MARGIN_Q8_0 = 20, MARGIN_ROUNDED = 10 };

/* False, with *error set, when shape or texts are out of range or the system cannot be solved. */
bool maker_init(struct maker *m, const struct shape *shape, uint64_t seed, const char **error);
void maker_free(struct maker *m);

struct margins maker_measure(const struct maker *m);
double margins_gap(const struct margins *g);
/* Every way leads by enough. */
bool margins_hold(const struct margins *g);
/* Does greedy decoding of the network after the prompt say exactly the sentence and </s>? */
bool maker_says(const struct maker *m, const struct net *net, struct variant variant, unsigned prompt);

/* The damages that must each change what is said: a tensor of a layer zeroed, no rope, attention to
 * oneself alone. NULL beyond the last. */
const char *maker_damage_name(const struct maker *m, unsigned damage);
/* Does the damage change what is said after this prompt? */
bool maker_damage_shows(const struct maker *m, unsigned damage, unsigned prompt);

#endif
