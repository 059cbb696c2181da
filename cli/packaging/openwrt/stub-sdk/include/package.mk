# "dumpinfo" is what feeds are scanned for, "compile" ends with the files of the
# package below $(BUILD_DIR)/root: of PACKAGE, which is built as BUILD_VARIANT.
PACKAGE ?= $(PKG_NAME)
all: $(if $(DUMP),dumpinfo,compile)

PKG_BUILD_DIR ?= $(BUILD_DIR)/$(if $(BUILD_VARIANT),$(PKG_NAME)-$(BUILD_VARIANT)/)$(PKG_NAME)-$(PKG_VERSION)
PKG_INSTALL_DIR ?= $(PKG_BUILD_DIR)/ipkg-install

define BuildPackage
$(eval VARIANT:=)$(eval DEFAULT_VARIANT:=)$(eval PROVIDES:=)$(eval CONFLICTS:=)
$(eval $(Package/$(1)))
$(foreach field,TITLE CATEGORY SECTION URL,$(if $($(field)),,$(error Package/$(1) has no $(field))))
$(foreach part,description install,$(if $(Package/$(1)/$(part)),,$(error Package/$(1)/$(part) is missing)))

dumpinfo: dumpinfo-$(1)
dumpinfo-$(1):
	@echo 'Package: $(1)'
	@echo 'Version: $(PKG_VERSION)-$(PKG_RELEASE)'
	@echo 'Depends: $(strip $(DEPENDS))'
	@echo 'Variant: $(VARIANT)$(if $(DEFAULT_VARIANT), (default))'
	@echo 'Provides: $(PROVIDES)'
	@echo 'Conflicts: $(CONFLICTS)'
	@echo 'Build-Depends: $(or $(PKG_BUILD_DEPENDS),none)'
	@echo 'Maintainer: $(PKG_MAINTAINER)'
	@echo 'License: $(PKG_LICENSE)'
	@echo 'LicenseFiles: $(PKG_LICENSE_FILES)'
	@echo 'Conffiles: $(strip $(Package/$(1)/conffiles))'

ifeq ($(1),$(PACKAGE))
ifeq ($(BUILD_VARIANT),)
compile:
	+$(MAKE) -r BUILD_VARIANT=$(VARIANT) compile
else
compile:
	rm -rf $(PKG_BUILD_DIR) $(BUILD_DIR)/root
	mkdir -p $(PKG_BUILD_DIR) $(BUILD_DIR)/root
	$$(Build/Prepare)
	$$(Build/Compile)
	$$(call Package/$(1)/install,$(BUILD_DIR)/root)
endif
endif
endef

.PHONY: all dumpinfo compile
