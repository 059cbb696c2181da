# For tests, with what is beside it: as much of OpenWrt's build system as the
# package's Makefile needs, under the names and with the modes of that. It is
# given TOPDIR (this folder) and BUILD_DIR (a scratch folder).
INCLUDE_DIR:=$(TOPDIR)/include
CP:=cp -fpR
INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_DATA:=install -m0644
INSTALL_CONF:=install -m0600
