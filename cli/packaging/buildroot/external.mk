include $(sort $(wildcard $(BR2_EXTERNAL_IP_MPTCP_PATH)/package/*/*.mk))
