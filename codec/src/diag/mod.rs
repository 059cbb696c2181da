//! inet_diag: connections and their subflows (`linux/inet_diag.h`).
