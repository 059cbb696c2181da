# Of the feed "packages". Builds for this machine instead of a router, by the
# same command and with what the real one has in its environment for all crates.
CARGO_PKG_PROFILE:=release
RUST_ARCH_DEPENDS:=@(aarch64||arm||i386||i686||mips||mipsel||x86_64)

define Build/Compile/Cargo
	+CARGO_PROFILE_RELEASE_OPT_LEVEL=s \
	CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true \
	CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true \
	CARGO_PROFILE_RELEASE_PANIC=unwind \
	CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	cargo install -v \
		--profile $(CARGO_PKG_PROFILE) \
		--root $(PKG_INSTALL_DIR) \
		--path "$(PKG_BUILD_DIR)/$(strip $(1))" \
		--locked \
		$(2)
endef
