# SPDX-License-Identifier: Apache-2.0
# Thin: meson does the work. `make vm-test` is the main job, `make check` the tests.
BUILD ?= build
MESON_TEST = meson test -C $(BUILD) --print-errorlogs

.PHONY: all deps configure check long-check unit conformance fuzz vm-test vm-shell bench payloads install clean

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	./configure --builddir=$(BUILD)

# Installs what is missing when it can (root on Debian); otherwise configure says what is.
deps:
	@if [ "$$(id -u)" = 0 ]; then ./configure --install-deps --builddir=$(BUILD); else ./configure --builddir=$(BUILD); fi

check: deps
	tests/check $(BUILD)

# What takes hours: tests/README.md.
long-check: all payloads
	VGPU_REQUIRE=1 $(MESON_TEST) --setup long --suite long

unit: all
	$(MESON_TEST) --suite unit

conformance: all
	$(MESON_TEST) --suite conformance

# A longer run of the fuzz targets, TIME seconds each, under clang's libFuzzer.
TIME ?= 600
fuzz:
	tests/fuzz/run $(TIME)

vm-test: deps
	@scenarios/vm-test $(BUILD)

# A shell in the VM; QEMU, image and payload are made first where the cache lacks them.
vm-shell: payloads
	qemu-patches/build-qemu
	vm-images/build-image
	$(BUILD)/vgpu vm

# Against this machine's peaks and other programs; BENCH='--only NAME' for a part of it (tests/bench/README.md).
bench: all
	$(BUILD)/tests/bench/vgpu-bench $(BENCH) $(BUILD)

payloads: all
	vm-images/payload/fetch

install: all
	meson install -C $(BUILD)

clean:
	rm -rf $(BUILD) $(BUILD)-sanitize
