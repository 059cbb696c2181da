# A NixOS module:
#
#   imports = [ /path/to/ip-mptcp/cli/packaging/nix/module.nix ];
#   services.ip-mptcp = {
#     enable = true;
#     state = ''
#       limits set subflows 4 add_addr_accepted 4
#       endpoint add dev wan subflow
#       endpoint add dev lte subflow backup
#     '';
#   };
#
# Evaluated, but never run: NixOS was not at hand.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  cfg = config.services.ip-mptcp;
  capabilities = [
    "CAP_NET_ADMIN"
    "CAP_NET_BIND_SERVICE"
    "CAP_DAC_READ_SEARCH"
  ];
in
{
  options.services.ip-mptcp = {
    enable = lib.mkEnableOption "MPTCP endpoints that follow interfaces and addresses";
    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The package with the program.";
    };
    state = lib.mkOption {
      type = lib.types.lines;
      default = "";
      example = ''
        limits set subflows 4 add_addr_accepted 4
        endpoint add dev wan subflow
      '';
      description = "Lines of a state file, see {manpage}`ip-mptcp(8)`.";
    };
    keep = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Whether endpoints that other programs made are left alone.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.state != "";
        message = "services.ip-mptcp.state is empty: ip-mptcp would have nothing to do.";
      }
    ];
    environment.systemPackages = [ cfg.package ];
    environment.etc."mptcp.state".text = cfg.state;

    systemd.services.ip-mptcp-watch = {
      description = "MPTCP endpoints that follow interfaces and addresses";
      documentation = [ "man:ip-mptcp(8)" ];
      wantedBy = [ "multi-user.target" ];
      after = [
        "network-pre.target"
        "systemd-sysctl.service"
      ];
      # Another state is read without a restart.
      reloadTriggers = [ config.environment.etc."mptcp.state".source ];
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = {
        Type = "exec";
        ExecStart = "${cfg.package}/bin/ip-mptcp watch ${lib.optionalString cfg.keep "--keep "}/etc/mptcp.state";
        ExecReload = "${pkgs.coreutils}/bin/kill -HUP $MAINPID";
        Restart = "always";
        RestartSec = 5;
        CapabilityBoundingSet = capabilities;
        LockPersonality = true;
        MemoryDenyWriteExecute = true;
        NoNewPrivileges = true;
        PrivateDevices = true;
        PrivateTmp = true;
        ProtectClock = true;
        ProtectControlGroups = true;
        ProtectHome = "read-only";
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelModules = true;
        ProtectProc = "invisible";
        ProtectSystem = "strict";
        RestrictAddressFamilies = [
          "AF_NETLINK"
          "AF_UNIX"
        ];
        RestrictNamespaces = true;
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        SystemCallArchitectures = "native";
        SystemCallErrorNumber = "EPERM";
        SystemCallFilter = [
          "@system-service"
          "~@resources @privileged"
        ];
        UMask = "0077";
      };
    };
  };
}
