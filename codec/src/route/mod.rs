//! rtnetlink: links and addresses (`linux/rtnetlink.h`).
