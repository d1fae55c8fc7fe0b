//! As whom the server runs: started as root, it becomes another user for good once it has what only root can have.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

use nix::unistd::{Gid, Uid, User, geteuid, getresgid, getresuid, setgroups, setresgid, setresuid};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use store::embedded::create_folder;

use crate::exit::{Exit, Failure};

/// Whom this process has to become; `None`: nobody else than it is.
pub(super) fn to_become(name: Option<&str>) -> Result<Option<User>, Failure> {
    let Some(name) = name else { return Ok(None) };
    let found = User::from_name(name)
        .map_err(|error| Failure::new(Exit::Config, format!("cannot look for the user {name}: {}", error.desc())))?;
    let Some(user) = found else {
        return Err(Failure::new(Exit::Config, format!("there is no user {name}: make one, or name another one")));
    };
    if user.uid == geteuid() {
        Ok(None)
    } else if geteuid().is_root() {
        Ok(Some(user))
    } else {
        let advice = format!("only root can become {name}: start the server as root, or as {name} itself");
        Err(Failure::new(Exit::NoPermission, advice))
    }
}

/// Makes the data folder unless it is there. One that this user is to use has to be this user's.
pub(super) fn prepare_folder(folder: &Path, user: Option<&User>) -> Result<(), Failure> {
    match (fs::metadata(folder), user) {
        (Ok(there), Some(user)) if there.uid() != user.uid.as_raw() => {
            let (owner, name, folder) = (name_of(there.uid()), &user.name, folder.display());
            let problem = format!("the data folder {folder} belongs to {owner}, and the server is to run as {name}");
            Err(Failure::new(Exit::Config, format!("{problem}: run `chown -R {name}: {folder}`")))
        }
        (Ok(_), _) => Ok(()),
        (Err(error), _) if error.kind() == ErrorKind::NotFound => make(folder, user).map_err(|e| unusable(folder, &e)),
        (Err(error), _) => Err(unusable(folder, &error)),
    }
}

fn unusable(folder: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Config, format!("cannot open the store in {0}: {0}: {error}", folder.display()))
}

/// Makes a folder and those above it. What is new is the user's.
fn make(folder: &Path, user: Option<&User>) -> io::Result<()> {
    if folder.is_dir() || folder == Path::new("") {
        return Ok(());
    }
    folder.parent().map_or(Ok(()), |parent| make(parent, user))?;
    create_folder(folder)?;
    // Nor does it follow a link that somebody has put in the place of what was just made.
    user.map_or(Ok(()), |user| lchown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw())))
}

fn name_of(user: u32) -> String {
    match User::from_uid(Uid::from_raw(user)) {
        Ok(Some(user)) => user.name,
        _ => format!("user {user}"),
    }
}

/// Becomes this user, with the group of this user alone, and for good: there is no way back to root.
pub(super) fn become_user(user: &User) -> Result<(), Failure> {
    become_ids(user.uid, user.gid)
        .map_err(|error| Failure::new(Exit::NoPermission, format!("cannot become {}: {error}", user.name)))
}

/// The same by numbers. All threads become what the caller becomes.
pub(crate) fn become_ids(user: Uid, group: Gid) -> io::Result<()> {
    setgroups(&[])?;
    setresgid(group, group, group)?;
    setresuid(user, user, user)?;
    let (users, groups) = (getresuid()?, getresgid()?);
    let is_all = [users.real, users.effective, users.saved] == [user; 3]
        && [groups.real, groups.effective, groups.saved] == [group; 3];
    let root = Uid::from_raw(0);
    if is_all && setresuid(root, root, root).is_err() {
        Ok(())
    } else {
        Err(io::Error::other("the system has left a way back"))
    }
}

/// What is left to root, who may find the data folder to be anybody's.
const OVER_FILES: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER);

/// Gives up what this process has of root's rights, such as to listen on ports below 1024.
pub(super) fn give_up_capabilities() -> io::Result<()> {
    let kept = if geteuid().is_root() { OVER_FILES } else { CapabilitySet::empty() };
    let kept = kept & capabilities(None)?.permitted;
    Ok(set_capabilities(
        None,
        CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() },
    )?)
}
