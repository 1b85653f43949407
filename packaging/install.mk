# make install    puts the release build into PREFIX (/usr/local): headers, libraries, pkg-config, CMake, emulator, pages,
#                 examples, licences
# make uninstall  removes all installed files
#
# DESTDIR goes before every path, for packagers; LIBDIR and its like may lie elsewhere. Where the one who installs has no
# Rust (sudo): `make release`, then `sudo make install INSTALL_FROM=target/release INSTALL_LICENSES=target/licenses`.

PREFIX ?= /usr/local
RELEASE := $(dir $(TARGET))release
INSTALL_FROM ?= $(RELEASE)
INSTALL_LICENSES ?= $(dir $(TARGET))licenses
INSTALL = PREFIX="$(PREFIX)" DESTDIR="$(DESTDIR)" BINDIR="$(BINDIR)" LIBDIR="$(LIBDIR)" INCLUDEDIR="$(INCLUDEDIR)" \
	DOCDIR="$(DOCDIR)" FROM="$(INSTALL_FROM)" LICENSES="$(INSTALL_LICENSES)" packaging/install.sh

.PHONY: release install uninstall test-install

release: need need-c shared
	$(CARGO) build --workspace --release
	ln -f $(SHARED)/librtcmsg.so $(RELEASE)/librtcmsg.so
	@mkdir -p $(dir $(TARGET))licenses
	$(PYTHON) tools/licenses.py $(dir $(TARGET))licenses/THIRD-PARTY-LICENSES.md
	$(PYTHON) tools/licenses.py --package rtcmsg-emulator $(dir $(TARGET))licenses/THIRD-PARTY-LICENSES-emulator.md

# What was built elsewhere is taken as it is.
install: $(if $(filter $(RELEASE),$(INSTALL_FROM)),release)
	$(INSTALL) install

uninstall:
	$(INSTALL) uninstall

# Into a prefix of its own, with what builds against it in a folder of its own.
test-install: need-c need-tools $(if $(filter $(RELEASE),$(INSTALL_FROM)),release)
	$(PYTHON) tools/install.py --from $(INSTALL_FROM) --licenses $(INSTALL_LICENSES)
