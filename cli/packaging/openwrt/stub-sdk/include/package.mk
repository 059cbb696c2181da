# "dumpinfo" is what feeds are scanned for, "compile" ends with the files of the
# package below $(BUILD_DIR)/root.
all: $(if $(DUMP),dumpinfo,compile)

PKG_BUILD_DIR ?= $(BUILD_DIR)/$(PKG_NAME)-$(PKG_VERSION)
PKG_INSTALL_DIR ?= $(PKG_BUILD_DIR)/ipkg-install

define BuildPackage
$(eval $(Package/$(1)))
$(foreach field,TITLE CATEGORY SECTION URL,$(if $($(field)),,$(error Package/$(1) has no $(field))))
$(foreach part,description install,$(if $(Package/$(1)/$(part)),,$(error Package/$(1)/$(part) is missing)))

dumpinfo:
	@echo 'Package: $(1)'
	@echo 'Version: $(PKG_VERSION)-$(PKG_RELEASE)'
	@echo 'Depends: $(strip $(DEPENDS))'
	@echo 'Build-Depends: $(or $(PKG_BUILD_DEPENDS),none)'
	@echo 'Maintainer: $(PKG_MAINTAINER)'
	@echo 'License: $(PKG_LICENSE)'
	@echo 'LicenseFiles: $(PKG_LICENSE_FILES)'
	@echo 'Conffiles: $(strip $(Package/$(1)/conffiles))'

compile:
	rm -rf $(PKG_BUILD_DIR) $(BUILD_DIR)/root
	mkdir -p $(PKG_BUILD_DIR) $(BUILD_DIR)/root
	$$(Build/Prepare)
	$$(Build/Compile)
	$$(call Package/$(1)/install,$(BUILD_DIR)/root)
endef

.PHONY: all dumpinfo compile
