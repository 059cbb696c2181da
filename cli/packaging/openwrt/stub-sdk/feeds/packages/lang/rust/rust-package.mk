# Of the feed "packages". Builds for this machine instead of a router, by the
# same command.
CARGO_PKG_PROFILE:=release
RUST_ARCH_DEPENDS:=@(aarch64||arm||i386||i686||mips||mipsel||x86_64)

define Build/Compile/Cargo
	+cargo install -q \
		--profile $(CARGO_PKG_PROFILE) \
		--root $(PKG_INSTALL_DIR) \
		--path "$(PKG_BUILD_DIR)/$(strip $(1))" \
		--locked
endef
