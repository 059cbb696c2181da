################################################################################
#
# ip-mptcp
#
################################################################################

# Its commands have been run, but never by Buildroot, which was not at hand.
#
# Built from the sources around this folder. With the address of an archive here
# instead, the hook is not needed: Buildroot then fetches the crates itself.
IP_MPTCP_VERSION = 0.1.0
IP_MPTCP_SITE = $(BR2_EXTERNAL_IP_MPTCP_PATH)/../../..
IP_MPTCP_SITE_METHOD = local
IP_MPTCP_LICENSE = (MIT or Apache-2.0), BSD-3-Clause (argh)
IP_MPTCP_LICENSE_FILES = \
	LICENSE-MIT \
	LICENSE-APACHE \
	cli/packaging/licenses/argh.BSD-3-Clause

define IP_MPTCP_VENDOR
	mkdir -p $(@D)/.cargo
	cd $(@D) && \
		$(HOST_MAKE_ENV) \
		$(PKG_CARGO_ENV) \
		cargo vendor --locked VENDOR > .cargo/config.toml
endef
IP_MPTCP_POST_RSYNC_HOOKS += IP_MPTCP_VENDOR

# The profile that is shipped instead of "release", which is larger.
define IP_MPTCP_BUILD_CMDS
	cd $(@D) && \
		$(TARGET_MAKE_ENV) \
		$(TARGET_CONFIGURE_OPTS) \
		$(PKG_CARGO_ENV) \
		$(IP_MPTCP_CARGO_ENV) \
		cargo build \
			--offline \
			--locked \
			--profile dist \
			--package ip-mptcp \
			$(IP_MPTCP_CARGO_BUILD_OPTS)
endef

define IP_MPTCP_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/target/$(RUSTC_TARGET_NAME)/dist/ip-mptcp \
		$(TARGET_DIR)/usr/sbin/ip-mptcp
endef

define IP_MPTCP_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(IP_MPTCP_PKGDIR)/S45ip-mptcp \
		$(TARGET_DIR)/etc/init.d/S45ip-mptcp
endef

define IP_MPTCP_INSTALL_INIT_SYSTEMD
	$(INSTALL) -D -m 0644 $(@D)/cli/packaging/systemd/ip-mptcp.service \
		$(TARGET_DIR)/usr/lib/systemd/system/ip-mptcp.service
	$(INSTALL) -D -m 0644 $(@D)/cli/packaging/systemd/ip-mptcp-watch.service \
		$(TARGET_DIR)/usr/lib/systemd/system/ip-mptcp-watch.service
endef

define IP_MPTCP_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_MPTCP)
	$(call KCONFIG_ENABLE_OPT,CONFIG_MPTCP_IPV6)
	$(call KCONFIG_ENABLE_OPT,CONFIG_INET_DIAG)
	$(call KCONFIG_ENABLE_OPT,CONFIG_INET_MPTCP_DIAG)
endef

$(eval $(cargo-package))
