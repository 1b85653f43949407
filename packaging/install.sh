#!/bin/sh
# install.sh install|uninstall  Puts the release build into PREFIX, or takes all of it out again.
#
# From the environment: PREFIX (/usr/local), DESTDIR (nothing; goes before every path, for packagers), BINDIR, LIBDIR,
# INCLUDEDIR, DOCDIR (below PREFIX); for install FROM, the directory of librtcmsg.so, librtcmsg.a and rtcmsg-emulator, and
# LICENSES, that of the licences of third parties.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml")
major=${version%%.*}
minor=${version#*.}
minor=${minor%%.*}
# As build.rs names it.
soname=librtcmsg.so.$major.$minor
# The last two belong to rtcmsg.hpp.
headers='rtcmsg.h rtcmsg.hpp rtcmsg_macros_push.h rtcmsg_macros_pop.h'
# What `make release` has written, beside our own licences.
licenses='THIRD-PARTY-LICENSES.md THIRD-PARTY-LICENSES-emulator.md COPYRIGHT-library.html'
# The pages and the examples, at the same paths as here, so that their links work and error messages name them.
pages=$(cd "$root" && find README.md CHANGELOG.md emulator/README.md bindings/*/README.md docs examples -type f \
  \( -name '*.md' -o -name '*.svg' -o -path 'examples/*.[ch]' -o -name '*.cpp' -o -name '*.py' -o -name '*.go' -o -name go.mod \))
# As `cargo rustc --lib -- --print native-static-libs` names them, without -lgcc_s: the compiler adds the unwinder that fits,
# which is libgcc_eh in a static program, where there is no libgcc_s.
native_libs='-lutil -lrt -lpthread -lm -ldl -lc'

PREFIX=${PREFIX:-/usr/local}
BINDIR=${BINDIR:-$PREFIX/bin}
LIBDIR=${LIBDIR:-$PREFIX/lib}
INCLUDEDIR=${INCLUDEDIR:-$PREFIX/include}
DOCDIR=${DOCDIR:-$PREFIX/share/doc/rtcmsg}
DESTDIR=${DESTDIR:-}
cmake_dir=$LIBDIR/cmake/rtcmsg
pkgconfig_dir=$LIBDIR/pkgconfig

# Paths are written into the files: a relative one would mean another place for each reader.
for path in "$PREFIX" "$BINDIR" "$LIBDIR" "$INCLUDEDIR" "$DOCDIR"; do
  case $path in
    /*) ;;
    *) echo "install: $path is not an absolute path" >&2; exit 1 ;;
  esac
done

# Open to all, whatever the umask; one that is there stays as it is.
make_directory() {
  [ -d "$1" ] || install -d -m 755 "$1"
}

# put MODE SOURCE DIRECTORY [NAME]
put() {
  make_directory "$DESTDIR$3"
  install -m "$1" "$2" "$DESTDIR$3/${4:-$(basename "$2")}"
}

# fill TEMPLATE DIRECTORY: with the values for each @NAME@.
fill() {
  from_libdir=$(realpath -m --relative-to="$LIBDIR" "$INCLUDEDIR")
  make_directory "$DESTDIR$2"
  name=$(basename "$1" .in)
  sed -e "s|@VERSION@|$version|g" -e "s|@MAJOR@|$major|g" -e "s|@MINOR@|$minor|g" -e "s|@SONAME@|$soname|g" \
    -e "s|@NATIVE_LIBS@|$native_libs|g" -e "s|@PREFIX@|$PREFIX|g" -e "s|@LIBDIR@|$LIBDIR|g" \
    -e "s|@INCLUDEDIR@|$INCLUDEDIR|g" -e "s|@INCLUDEDIR_FROM_LIBDIR@|$from_libdir|g" "$1" > "$DESTDIR$2/$name"
  chmod 644 "$DESTDIR$2/$name"
}

# Before anything is put down: half an installation is none.
must_be_there() {
  [ -f "$1" ] || { echo "install: $1 is not there: make release" >&2; exit 1; }
}

install_all() {
  for file in librtcmsg.so librtcmsg.a rtcmsg-emulator; do must_be_there "$FROM/$file"; done
  for file in $licenses; do must_be_there "$LICENSES/$file"; done
  for file in $headers; do put 644 "$root/include/$file" "$INCLUDEDIR"; done
  put 755 "$FROM/librtcmsg.so" "$LIBDIR" "librtcmsg.so.$version"
  ln -sf "librtcmsg.so.$version" "$DESTDIR$LIBDIR/$soname"
  ln -sf "$soname" "$DESTDIR$LIBDIR/librtcmsg.so"
  put 644 "$FROM/librtcmsg.a" "$LIBDIR"
  put 755 "$FROM/rtcmsg-emulator" "$BINDIR"
  fill "$root/packaging/rtcmsg.pc.in" "$pkgconfig_dir"
  fill "$root/packaging/rtcmsg-config.cmake.in" "$cmake_dir"
  fill "$root/packaging/rtcmsg-config-version.cmake.in" "$cmake_dir"
  put 644 "$root/LICENSE-MIT" "$DOCDIR"
  put 644 "$root/LICENSE-APACHE" "$DOCDIR"
  for file in $licenses; do put 644 "$LICENSES/$file" "$DOCDIR"; done
  for file in $pages; do put 644 "$root/$file" "$DOCDIR/$(dirname "$file")"; done
}

uninstall_all() {
  for file in $headers; do rm -f "$DESTDIR$INCLUDEDIR/$file"; done
  rm -f "$DESTDIR$LIBDIR/librtcmsg.so.$version" \
    "$DESTDIR$LIBDIR/$soname" "$DESTDIR$LIBDIR/librtcmsg.so" "$DESTDIR$LIBDIR/librtcmsg.a" \
    "$DESTDIR$BINDIR/rtcmsg-emulator" "$DESTDIR$pkgconfig_dir/rtcmsg.pc"
  rm -f "$DESTDIR$cmake_dir/rtcmsg-config.cmake" "$DESTDIR$cmake_dir/rtcmsg-config-version.cmake"
  for file in LICENSE-MIT LICENSE-APACHE $licenses $pages; do rm -f "$DESTDIR$DOCDIR/$file"; done
  for directory in docs examples bindings emulator; do
    find "$DESTDIR$DOCDIR/$directory" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
  # These remain if they hold other files.
  for directory in "$cmake_dir" "$LIBDIR/cmake" "$pkgconfig_dir" "$DOCDIR"; do
    rmdir "$DESTDIR$directory" 2>/dev/null || true
  done
}

case ${1:-} in
  install) install_all ;;
  uninstall) uninstall_all ;;
  *) sed -n '2,6s/^# //p' "$0" >&2; exit 2 ;;
esac
