# SPDX-License-Identifier: Apache-2.0
# One of each.
command 0x01 empty queued
command 0x02 move queued      # all types
    u64 dst hex
    i64 by
    u32 count
    i32 step
    u16 half[2]
    u8 bytes[4]
    f32 scale
    u32 pad
    f64 factor
command 0x05 ask sync         # with everything
    u32 what
    u32 pad[1]
    tail
    reply u64 answer hex
    reply u32 parts[2]
    reply tail
command 0x06 text sync
    tail
    reply tail
