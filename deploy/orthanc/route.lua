-- Send every radiograph on to the node as it arrives, whoever sent it; what the node itself stores stays here.
local RADIOGRAPHS = { CR = true, DX = true, RG = true }

function OnStoredInstance(instanceId, tags, metadata, origin)
  if RADIOGRAPHS[tags["Modality"]] and origin["RemoteAet"] ~= "NUMBERING" then
    SendToModality(instanceId, "NUMBERING")
  end
end
