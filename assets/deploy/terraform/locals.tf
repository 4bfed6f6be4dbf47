# What the profiles mean, and what follows from the variables.

data "aws_availability_zones" "available" {
  # checkov:skip=CKV_AWS_394:The first ones by name are taken, which a new one comes behind; availability_zones pins them
  state = "available"

  # Local and Wavelength Zones have neither RDS nor NAT.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  profiles = {
    demo = {
      zones               = 2
      nat                 = "none"
      instances           = { min = 1, max = 2 }
      instance_type       = { arm64 = "t4g.small", x86_64 = "t3.small" }
      database_class      = "db.t4g.micro"
      database_storage    = { first = 20, most = 40 }
      database_standby    = false
      backup_days         = 1
      cache_node_type     = "cache.t4g.micro"
      cache_nodes         = 1
      deletion_protection = false
      flow_logs           = false
      log_days            = 7
    }
    production = {
      zones               = 3
      nat                 = "per_az"
      instances           = { min = 3, max = 9 }
      instance_type       = { arm64 = "m7g.medium", x86_64 = "m7i.large" }
      database_class      = "db.m7g.large"
      database_storage    = { first = 100, most = 500 }
      database_standby    = true
      backup_days         = 14
      cache_node_type     = "cache.m7g.large"
      cache_nodes         = 2
      deletion_protection = true
      flow_logs           = true
      log_days            = 90
    }
  }
  profile    = local.profiles[var.profile]
  production = var.profile == "production"

  tags = merge({ Name = var.name, Project = "unslow", Profile = var.profile }, var.tags)

  # Each zone and its number, which its subnets' addresses come from.
  zone_names = coalesce(var.availability_zones, slice(
    sort(data.aws_availability_zones.available.names), 0,
    min(local.profile.zones, length(data.aws_availability_zones.available.names))
  ))
  zones = { for number, zone in local.zone_names : zone => number }

  nat           = coalesce(var.nat, local.profile.nat)
  instance_type = coalesce(var.instance_type, local.profile.instance_type[var.architecture])
  instances     = var.instances != null ? var.instances : local.profile.instances
  protected     = coalesce(var.deletion_protection, local.profile.deletion_protection)
  https         = var.domain != null
  url           = local.https ? "https://${var.domain}" : "http://${aws_lb.this.dns_name}"

  port          = 8000
  database_port = 5432
  cache_port    = 6379

  # The application's two database users take turns: while new instances come with the one, the
  # old ones go on with the other. The number is the password's: the last one that was the user's.
  database_users = { for user, number in {
    unslow_a = var.password_version - (var.password_version + 1) % 2
    unslow_b = var.password_version - var.password_version % 2
  } : user => number if number > 0 }
  database_user = var.password_version % 2 == 1 ? "unslow_a" : "unslow_b"
}
