# pkgs.callPackage ./package.nix { } builds ip-mptcp from the sources around this
# folder. Evaluated, but never built: nixpkgs was not at hand.
{
  lib,
  rustPlatform,
  installShellFiles,
}:

rustPlatform.buildRustPackage {
  pname = "ip-mptcp";
  version = "0.1.0";

  src = lib.cleanSourceWith {
    src = ../../..;
    filter = path: type: baseNameOf path != "target" && lib.cleanSourceFilter path type;
  };
  cargoLock.lockFile = ../../../Cargo.lock;

  # The profile that is shipped instead of "release", which is larger.
  buildType = "dist";
  cargoBuildFlags = [
    "--package"
    "ip-mptcp"
  ];
  # The tests need network namespaces.
  doCheck = false;

  nativeBuildInputs = [ installShellFiles ];
  postInstall = ''
    installManPage cli/ip-mptcp.8
    installShellCompletion --bash --name ip-mptcp cli/completions/ip-mptcp.bash
    installShellCompletion --zsh cli/completions/_ip-mptcp
    installShellCompletion --fish cli/completions/ip-mptcp.fish
    install -D -m 644 -t $out/share/doc/ip-mptcp LICENSE-MIT LICENSE-APACHE \
      cli/packaging/licenses/argh.BSD-3-Clause
  '';

  meta = {
    description = "Configure and watch Multipath TCP";
    homepage = "https://example.org/ip-mptcp";
    license = with lib.licenses; [
      mit
      asl20
      bsd3
    ];
    mainProgram = "ip-mptcp";
    platforms = lib.platforms.linux;
  };
}
