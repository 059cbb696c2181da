//! What attributes a family takes (`CTRL_CMD_GETPOLICY`, kernel 5.7).
