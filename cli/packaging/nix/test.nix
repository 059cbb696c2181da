# For tests: evaluates both files with as much of nixpkgs as they need.
# "unit" is the service as systemd would have it, "package" what is given to
# buildRustPackage.
let
  lib = {
    cleanSourceWith = source: source.src;
    cleanSourceFilter = path: type: true;
    licenses = {
      mit = "MIT";
      asl20 = "Apache-2.0";
      bsd3 = "BSD-3-Clause";
    };
    platforms.linux = [ "x86_64-linux" ];
    mkEnableOption = text: { inherit text; };
    mkOption = option: option;
    mkIf = condition: value: if condition then value else { };
    literalExpression = text: text;
    optionalString = condition: text: if condition then text else "";
    types = {
      package = "package";
      lines = "lines";
      bool = "bool";
    };
  };
  package = import ./package.nix {
    inherit lib;
    rustPlatform.buildRustPackage = attributes: attributes;
    installShellFiles = "installShellFiles";
  };
  module = import ./module.nix {
    inherit lib;
    pkgs = {
      callPackage = path: overrides: "/package";
      coreutils = "/coreutils";
    };
    config = {
      services.ip-mptcp = {
        enable = true;
        package = "/package";
        state = "endpoint add dev wan subflow\n";
        keep = true;
      };
      environment.etc."mptcp.state".source = "/etc/static/mptcp.state";
    };
  };
  text =
    value:
    if builtins.isBool value then
      (if value then "yes" else "no")
    else if builtins.isList value then
      builtins.concatStringsSep " " value
    else
      toString value;
  service = module.config.systemd.services.ip-mptcp-watch.serviceConfig;
in
{
  unit = builtins.concatStringsSep "\n" (
    map (name: "${name}=${text service.${name}}") (builtins.attrNames service)
  );
  inherit (package) pname version buildType;
  exists = builtins.pathExists package.src && builtins.pathExists package.cargoLock.lockFile;
  state = module.config.environment.etc."mptcp.state".text;
  asserts = builtins.all (each: each.assertion) module.config.assertions;
  options = builtins.attrNames module.options.services.ip-mptcp;
}
