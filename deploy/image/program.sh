#!/usr/bin/env bash
# Builds what goes into the image for one architecture, this machine's unless another is given:
#
#   program.sh [amd64 | arm64]
#
#   target/image/ARCH/payg            the program: static, without the simulator, and with the list of its dependencies in it
#   target/image/ARCH/sbom.cdx.json   the same list with licences and checksums, as CycloneDX
#   target/image/ca-certificates.crt  the roots that this machine trusts
#
# It prints the architecture, and nothing else on stdout.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

say() { echo "image: $*" >&2; }
fail() { say "$@"; exit 1; }

case ${1:-$(uname -m)} in
amd64 | x86_64) arch=amd64 machine=x86_64 ;;
arm64 | aarch64) arch=arm64 machine=aarch64 ;;
*) fail "there is no image for the architecture ${1:-$(uname -m)}. Usage: program.sh [amd64 | arm64]" ;;
esac
target=$machine-unknown-linux-musl
out=target/image/$arch

# Beside the program, ring is built, in C.
if [ "$machine" = "$(uname -m)" ]; then
    compiler=musl-gcc package=musl-tools
else
    compiler=$machine-linux-gnu-gcc package="gcc-${machine/_/-}-linux-gnu with libc6-dev-$arch-cross"
    # Ubuntu's would call functions that glibc has and musl has not.
    export "CFLAGS_${target//-/_}=-U_FORTIFY_SOURCE"
fi
command -v "$compiler" >/dev/null || fail "$compiler is not installed, and the program is built with it (on Debian and Ubuntu the package $package)"
export "CC_${target//-/_}=$compiler"
host=$(rustc -vV | sed -n 's/^host: //p')
[ -x "$(rustc --print sysroot)/lib/rustlib/$host/bin/rust-lld" ] ||
    fail "this Rust has no rust-lld, by which the program is linked; use Rust by rustup: https://rustup.rs"
for roots in /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt ''; do
    [ ! -f "$roots" ] || break
done
[ -n "$roots" ] || fail "this machine has no CA certificates (on Debian and Ubuntu the package ca-certificates)"
if command -v rustup >/dev/null; then
    rustup target add "$target" >&2
fi

auditable=0.7.7 cyclonedx=0.5.9
tools=${XDG_CACHE_HOME:-$HOME/.cache}/payg-operator/image/auditable-$auditable-cyclonedx-$cyclonedx
if [ ! -d "$tools" ]; then
    say "building cargo-auditable and cargo-cyclonedx from source, once; expect two minutes on two cores"
    rm -rf "$tools.partial"
    cargo install --quiet --locked --root "$tools.partial" "cargo-auditable@$auditable" "cargo-cyclonedx@$cyclonedx" >&2
    mv "$tools.partial" "$tools"
fi
export PATH=$tools/bin:$PATH

# Cargo would list the dependencies of tests, too, and scanners would warn of them. So it builds a copy that has no tests, of
# the same crates: --offline leaves it no others.
cargo fetch --locked --target "$target" >&2
target_dir=$(realpath -m "${CARGO_TARGET_DIR:-target}")
copy=target/image-source
rm -rf "$copy"
mkdir -p "$copy" "$out"
tar --create --exclude ./target --exclude ./.git . | tar --extract --directory "$copy"
for manifest in Cargo.toml crates/*/Cargo.toml; do
    sed -e '/^\[dev-dependencies\]/,/^$/d' -e 's/^members = .*/members = ["."]/' "$manifest" >"$copy/$manifest"
done
program=(--offline --target "$target")

say "building the program for $arch; the first time takes some minutes"
(cd "$copy" && cargo auditable build "${program[@]}" --release --target-dir "$target_dir") >&2
# Readable for the user in the image, whatever is usual on this machine.
install -m 0755 "$target_dir/$target/release/payg" "$out/payg"
install -m 0644 "$roots" target/image/ca-certificates.crt
CARGO_NET_OFFLINE=true cargo cyclonedx --quiet --manifest-path "$copy/Cargo.toml" \
    "${program[@]:1}" --no-build-deps --format json --spec-version 1.5 --override-filename sbom.cdx >&2
cp "$copy/sbom.cdx.json" "$out/sbom.cdx.json"
echo "$arch"
